//! The private PostgreSQL: its life, its users, its accidents.

use std::{path::Path, time::Instant};

use orderscope::embedded::{self, Config, Left, Progress, State};
use sqlx::{Connection, PgConnection};

/// A private database of its own in a directory the server's user can reach.
struct Home {
    dir: tempfile::TempDir,
    config: Config,
}

fn silent(_: Progress) {}

impl Home {
    fn new(binaries: &Path) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::Builder::new().prefix("orderscope-test-").tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let config = Config {
            home: dir.path().join("home"),
            cache: dir.path().join("cache"),
            runtime: dir.path().to_path_buf(),
            binaries: Some(binaries.to_path_buf()),
            installed: Vec::new(),
            npm: "/nonexistent/npm".into(),
        };
        Self { dir, config }
    }
}

#[tokio::test]
async fn first() {
    for bin in ["/usr/lib/postgresql/15/bin", "/tmp/pg18/package/native/bin"] {
        let home = Home::new(Path::new(bin));
        let t = Instant::now();
        let lease = embedded::join(&home.config, &|p| println!("{p:?}")).await.unwrap();
        println!("new {:?} {}", t.elapsed(), lease.url());
        let t = Instant::now();
        let other = embedded::join(&home.config, &silent).await.unwrap();
        println!("attach {:?}", t.elapsed());
        let mut conn = PgConnection::connect_with(lease.options()).await.unwrap();
        let x: String =
            sqlx::query_scalar("select version()||upper('ấ')||current_setting('server_encoding')")
                .fetch_one(&mut conn)
                .await
                .unwrap();
        println!("{x}");
        let s = embedded::status(&home.config).await.unwrap();
        println!("{s:?}");
        assert_eq!(s.state, State::Running);
        assert_eq!(other.leave().await.unwrap(), Left::InUse);
        let t = Instant::now();
        assert_eq!(lease.leave().await.unwrap(), Left::Stopped);
        println!("stop {:?}", t.elapsed());
        let t = Instant::now();
        let lease = embedded::join(&home.config, &silent).await.unwrap();
        println!("start {:?}", t.elapsed());
        lease.leave().await.unwrap();
        println!("{:?}", embedded::status(&home.config).await.unwrap());
        let _ = &home.dir;
    }
}
