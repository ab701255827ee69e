//! Crashes, leftovers, full disks, wrong permissions.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    process::{Child, Command},
    sync::atomic::{AtomicBool, Ordering},
};

use orderscope::embedded::{self, Error, Left, Progress, State};
use rustix::process::{Signal, geteuid};
use sqlx::{Connection, Executor, PgConnection};

use super::{Disk, Home, is_postgres, kill, number, run, silent, wait_blocking};
use crate::support::postgres::server_user;

#[tokio::test]
async fn a_killed_server_comes_back_with_what_was_committed() {
    let home = Home::made(18).await;
    let lease = home.join().await;
    run(&lease, "CREATE TABLE t AS SELECT 42::bigint AS n").await;
    let first = home.pid().unwrap();
    kill(first, Signal::KILL);
    wait_blocking(|| !is_postgres(first));
    lease.revive(&silent).await.unwrap();
    assert_ne!(home.pid(), Some(first));
    assert_eq!(number(&lease, "SELECT n FROM t").await, 42);
    // And for a console that comes later.
    let second = home.pid().unwrap();
    kill(second, Signal::KILL);
    wait_blocking(|| !is_postgres(second));
    drop(lease);
    let lease = home.join().await;
    assert_eq!(number(&lease, "SELECT n FROM t").await, 42);
    assert_eq!(lease.leave().await.unwrap(), Left::Stopped);
}

#[tokio::test]
async fn a_killed_console_leaves_a_server_that_the_next_one_stops() {
    let home = Home::made(18).await;
    // A lease dropped without leaving is what the kernel makes of a killed console.
    drop(home.join().await);
    assert_eq!(home.state().await, State::Running);
    let status = embedded::status(&home.config).await.unwrap();
    assert_eq!(status.in_use, Some(false));
    let first = home.pid();
    let lease = home.join().await;
    assert_eq!(home.pid(), first);
    assert_eq!(lease.leave().await.unwrap(), Left::Stopped);
}

/// A program of the server's user, which PostgreSQL cannot tell from a server by its number.
struct Bystander(Child);

impl Bystander {
    fn new() -> Self {
        let mut command = Command::new("sleep");
        if geteuid().is_root() {
            let (uid, gid) = server_user();
            command.uid(uid).gid(gid);
        }
        Self(command.arg("600").current_dir("/").spawn().unwrap())
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test]
async fn leftovers_of_a_power_loss_whose_number_another_program_got() {
    let home = Home::made(18).await;
    let mut other = Bystander::new();
    let (pid, sockets) = (other.0.id(), home.config.home.join("socket"));
    let (cluster, directory) = (home.cluster(), sockets.display());
    let lines = format!("{pid}\n{}\n1\n5432\n{directory}\n\n  1  1\nready   \n", cluster.display());
    fs::write(cluster.join("postmaster.pid"), &lines).unwrap();
    fs::write(sockets.join(".s.PGSQL.5432.lock"), &lines).unwrap();
    drop(std::os::unix::net::UnixListener::bind(sockets.join(".s.PGSQL.5432")).unwrap());
    if geteuid().is_root() {
        let (uid, gid) = server_user();
        for file in [cluster.join("postmaster.pid"), sockets.join(".s.PGSQL.5432.lock")] {
            std::os::unix::fs::chown(file, Some(uid), Some(gid)).unwrap();
        }
    }
    assert_eq!(home.state().await, State::Stopped);
    assert!(!embedded::stop(&home.config, true, &silent).await.unwrap().was_running);
    let lease = home.join().await;
    assert_eq!(number(&lease, "SELECT 1::bigint").await, 1);
    assert_eq!(lease.leave().await.unwrap(), Left::Stopped);
    assert!(other.0.try_wait().unwrap().is_none(), "the bystander was harmed");
}

#[tokio::test]
async fn a_socket_that_was_cleaned_away_is_made_again() {
    let home = Home::made(18).await;
    drop(home.join().await);
    fs::remove_file(home.config.home.join("socket/.s.PGSQL.5432")).unwrap();
    let lease = home.join().await;
    assert_eq!(number(&lease, "SELECT 1::bigint").await, 1);
    lease.leave().await.unwrap();
}

/// Gives up a join at the moment it reports what `at` recognises.
async fn give_up(home: &Home, at: fn(&Progress) -> bool) {
    let reached = AtomicBool::new(false);
    let report = |progress: Progress| {
        if at(&progress) {
            reached.store(true, Ordering::Relaxed);
        }
    };
    let mut join = Box::pin(embedded::join(&home.config, &report));
    let cut = std::future::poll_fn(|context| {
        assert!(join.as_mut().poll(context).is_pending(), "it was too fast to be given up");
        if reached.load(Ordering::Relaxed) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    });
    cut.await;
}

#[tokio::test]
async fn a_cluster_half_made_is_thrown_away_and_made_again() {
    let home = Home::new(18);
    give_up(&home, |progress| matches!(progress, Progress::Initialising { .. })).await;
    assert_eq!(home.state().await, State::Absent);
    let half = |name: &str| home.config.home.join(name);
    fs::create_dir_all(half("half-1/base/1")).unwrap();
    fs::write(half("half-1/PG_VERSION"), "18\n").unwrap();
    let lease = home.join().await;
    assert_eq!(number(&lease, "SELECT 1::bigint").await, 1);
    let names: Vec<_> =
        home.config.home.read_dir().unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().starts_with("half")), "{names:?}");
    lease.leave().await.unwrap();
}

#[tokio::test]
async fn a_start_given_up_leaves_no_server() {
    let home = Home::made(18).await;
    give_up(&home, |progress| matches!(progress, Progress::Starting { .. })).await;
    while home.state().await != State::Stopped {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    home.join().await.leave().await.unwrap();
}

#[tokio::test]
async fn a_database_that_is_missing_is_made() {
    let home = Home::made(18).await;
    // The first start was cut between the server and its database.
    let lease = home.join().await;
    let admin = lease.options().clone().database("postgres");
    let mut conn = PgConnection::connect_with(&admin).await.unwrap();
    conn.execute("DROP DATABASE orderscope").await.unwrap();
    conn.close().await.unwrap();
    lease.leave().await.unwrap();
    let lease = home.join().await;
    assert_eq!(number(&lease, "SELECT 1::bigint").await, 1);
    lease.leave().await.unwrap();
}

#[tokio::test]
async fn another_server_on_the_socket_is_told_apart() {
    let (ours, other) = (Home::made(18).await, Home::made(18).await);
    let lease = other.join().await;
    let socket = |home: &Home| home.config.home.join("socket/.s.PGSQL.5432");
    std::os::unix::fs::symlink(socket(&other), socket(&ours)).unwrap();
    let refused = ours.refused().await;
    let expected = other.cluster().display().to_string();
    assert!(
        matches!(&refused, Error::SocketTaken { data_directory, .. } if *data_directory == expected),
        "{refused}"
    );
    lease.leave().await.unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_start_shows_its_last_words() {
    let home = Home::made(18).await;
    let lease = home.join().await;
    run(&lease, "ALTER SYSTEM SET shared_preload_libraries = 'nonsense'").await;
    lease.leave().await.unwrap();
    let refused = home.refused().await;
    assert!(matches!(refused, Error::Start { .. }), "{refused}");
    assert!(refused.to_string().contains("could not access file \"nonsense\""), "{refused}");
}

#[tokio::test]
async fn wrong_permissions_say_how_to_right_them() {
    let home = Home::made(18).await;
    let cluster = home.cluster();
    let mode = |mode| fs::set_permissions(&cluster, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o755);
    let refused = home.refused().await;
    assert!(matches!(refused, Error::WrongMode { .. }), "{refused}");
    assert!(refused.to_string().contains("chmod 700"), "{refused}");
    mode(0o700);
    if geteuid().is_root() {
        std::os::unix::fs::chown(&cluster, Some(0), Some(0)).unwrap();
        let refused = home.refused().await;
        assert!(matches!(refused, Error::WrongOwner { owner: 0, .. }), "{refused}");
        let (uid, gid) = server_user();
        std::os::unix::fs::chown(&cluster, Some(uid), Some(gid)).unwrap();
    } else {
        eprintln!("NOT TESTED: a cluster of another owner, because only root can make one");
    }
    home.join().await.leave().await.unwrap();
}

#[tokio::test]
async fn a_directory_the_servers_user_cannot_reach_is_named() {
    if !geteuid().is_root() {
        eprintln!("NOT TESTED: the server's user differs from ours only when we are root");
        return;
    }
    let mut home = Home::new(18);
    let closed = home.config.home.with_file_name("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    home.config.home = closed.join("home");
    let refused = home.refused().await;
    assert!(matches!(&refused, Error::OutOfReach { path, .. } if *path == closed), "{refused}");
}

#[tokio::test]
async fn something_else_in_the_clusters_place_is_left_alone() {
    let home = Home::new(18);
    fs::create_dir_all(home.cluster()).unwrap();
    fs::write(home.cluster().join("letters.txt"), "mine").unwrap();
    if geteuid().is_root() {
        let (uid, gid) = server_user();
        std::os::unix::fs::chown(home.cluster(), Some(uid), Some(gid)).unwrap();
        std::os::unix::fs::chown(&home.config.home, None, Some(gid)).unwrap();
    }
    let refused = home.refused().await;
    assert!(matches!(refused, Error::NotACluster { .. }), "{refused}");
    assert_eq!(fs::read_to_string(home.cluster().join("letters.txt")).unwrap(), "mine");
}

#[tokio::test]
async fn a_full_disk_is_told_and_survived() {
    let mut home = Home::new(18);
    let place = home.config.home.with_file_name("small");
    fs::create_dir(&place).unwrap();
    let Some(disk) = Disk::mount(&place, "size=32k,mode=755") else {
        return full_device(home).await;
    };
    home.config.home = place.join("home");
    home.disk = Some(disk);
    let refused = home.refused().await;
    assert!(matches!(refused, Error::NoRoom { free: 0, .. }), "{refused}");
    assert!(refused.to_string().contains("a new database needs about 100 MB"), "{refused}");
    assert_eq!(home.state().await, State::Absent);

    home.disk.as_ref().unwrap().resize("200m");
    let lease = home.join().await;
    run(&lease, "CREATE TABLE t AS SELECT 42::bigint AS n").await;
    lease.leave().await.unwrap();
    let filler = place.join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    std::io::copy(&mut std::io::repeat(1), &mut file).unwrap_err();
    drop(file);
    let refused = home.refused().await;
    assert!(matches!(refused, Error::DiskFull { .. }), "{refused}");
    assert!(refused.to_string().contains("free some space"), "{refused}");
    assert_eq!(home.state().await, State::Stopped);

    fs::remove_file(&filler).unwrap();
    let lease = home.join().await;
    assert_eq!(number(&lease, "SELECT n FROM t").await, 42);
    lease.leave().await.unwrap();
}

/// Where mounting is not allowed: programs that write to the device that is always full.
async fn full_device(mut home: Home) {
    eprintln!("NOT TESTED on a real full disk: mounting is not allowed here; /dev/full instead");
    let bin = home.config.home.with_file_name("bin");
    fs::create_dir(&bin).unwrap();
    let scripts = [
        ("postgres", "#!/bin/sh\necho 'postgres (PostgreSQL) 18.4'\n"),
        ("initdb", "#!/bin/sh\ncat $0 >/dev/full\n"),
    ];
    for (name, script) in scripts {
        fs::write(bin.join(name), script).unwrap();
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    home.config.binaries = Some(bin);
    let refused = home.refused().await;
    assert!(matches!(refused, Error::DiskFull { .. }), "{refused}");
    assert_eq!(home.state().await, State::Absent);
}
