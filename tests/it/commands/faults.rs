//! What goes wrong in the middle: rights, connections, answers that never come. Nothing or everything is
//! written, and what is said says which.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use orderscope::{
    db,
    domain::{decide::Command, id::Version},
    ops::operation::{PlanError, Verdict},
};
use sqlx::{AssertSqlSafe, Executor, postgres::PgConnectOptions};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
};

use super::world::{World, cancel, create, execute, now, request, writer};
use crate::support::fixture::Schema;

/// What a connection does when a statement comes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The statement never arrives.
    Before,
    /// It arrives; its answer does not.
    After,
    /// Nothing breaks; it is only counted.
    Never,
}

/// Stands between a console and a server, and breaks the connection at a statement.
struct Wire {
    folder: tempfile::TempDir,
    broken: Arc<AtomicU32>,
}

impl Wire {
    /// Breaks the first `times` connections that bring `word`.
    fn new(server: &Path, word: &'static str, fault: Fault, times: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        let broken = Arc::new(AtomicU32::new(0));
        let (server, counter) = (server.join(".s.PGSQL.5432"), Arc::clone(&broken));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(
                    client,
                    server.clone(),
                    word,
                    fault,
                    times,
                    Arc::clone(&counter),
                ));
            }
        });
        Self { folder, broken }
    }

    fn options(&self, options: &PgConnectOptions) -> PgConnectOptions {
        options.clone().socket(self.folder.path())
    }

    fn broken(&self) -> u32 {
        self.broken.load(Ordering::SeqCst)
    }
}

async fn carry(
    client: UnixStream,
    server: PathBuf,
    word: &'static str,
    fault: Fault,
    times: u32,
    broken: Arc<AtomicU32>,
) {
    let Ok(server) = UnixStream::connect(server).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let back = tokio::spawn(async move {
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
    });
    let mut piece = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from_client.read(&mut piece).await {
        let said = &piece[..length];
        let hit = said.windows(word.len()).any(|part| part == word.as_bytes());
        let nth = || {
            broken
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| (n < times).then_some(n + 1))
        };
        if hit && nth().is_ok() && fault != Fault::Never {
            back.abort();
            if fault == Fault::After {
                let _ = to_server.write_all(said).await;
            }
            return;
        }
        if to_server.write_all(said).await.is_err() {
            return;
        }
    }
    back.abort();
}

#[tokio::test]
async fn a_connection_lost_before_the_commit_is_made_again_and_written_once() {
    let world = World::managed().await;
    let buyer = world.buyer().await;
    for (word, fault) in [
        ("INSERT INTO public.\"order_items\"", Fault::Before),
        ("INSERT INTO public.\"order_items\"", Fault::After),
        ("::text::regclass)", Fault::After),
    ] {
        let wire = Wire::new(world.options.get_socket().unwrap(), word, fault, 2);
        let far = World::open(wire.options(&world.options)).await;
        let id = far.order(buyer).await;
        assert_eq!(wire.broken(), 2, "{word}");
        world.agrees(id, 1).await;
    }
    assert_eq!(world.count("SELECT count(*) FROM orders").await, 3);
    assert_eq!(world.count("SELECT count(*) FROM outbox_message").await, 3);
}

#[tokio::test]
async fn a_connection_lost_for_good_writes_nothing() {
    let world = World::managed().await;
    let buyer = world.buyer().await;
    let before = world.dump(&[]).await;
    let wire = Wire::new(
        world.options.get_socket().unwrap(),
        "INSERT INTO public.\"outbox_state\"",
        Fault::After,
        1_000,
    );
    let far = World::open(wire.options(&world.options)).await;
    let ended = far.run(create(buyer)).await;
    assert!(matches!(ended, Err(PlanError::Database(db::Error::Lost(_)))), "{ended:?}");
    assert!(wire.broken() > 1);
    assert_eq!(world.dump(&[]).await, before);
}

#[tokio::test]
async fn an_unanswered_commit_is_looked_up_not_run_again() {
    let world = World::managed().await;
    let buyer = world.buyer().await;
    let wire = Wire::new(world.options.get_socket().unwrap(), "COMMIT", Fault::After, 1);
    let far = writer(&wire.options(&world.options), "mai").await.unwrap();
    let command = create(buyer);
    let id = command.order().unwrap();
    let done = execute(&far, &request(command), now()).await.unwrap();
    assert_eq!((wire.broken(), done.version, done.repeated), (1, Some(Version(1)), false));
    assert!(done.audit > Some(0));
    world.agrees(id, 1).await;
    assert_eq!(world.count("SELECT count(*) FROM orders").await, 1);
}

#[tokio::test]
async fn a_commit_that_never_arrived_wrote_nothing_and_says_so() {
    let world = World::managed().await;
    let buyer = world.buyer().await;
    let except = [
        "public.mt_events_sequence",
        "public.outbox_message_sequence_number_seq",
        "orderscope.audit_number_seq",
        "orderscope.audit_number",
    ];
    let before = world.dump(&except).await;
    let wire = Wire::new(world.options.get_socket().unwrap(), "COMMIT", Fault::Before, 1);
    let far = writer(&wire.options(&world.options), "mai").await.unwrap();
    let wanted = request(create(buyer));
    let ended = execute(&far, &wanted, now()).await;
    assert!(matches!(ended, Err(PlanError::Database(db::Error::Lost(_)))), "{ended:?}");
    assert_eq!(world.dump(&except).await, before);
    // The same key can be used again, and it is run then.
    assert!(!execute(&far, &wanted, now()).await.unwrap().repeated);
}

/// The server's answer is there and cannot be read: asking again gives the same one.
#[tokio::test]
async fn a_value_of_another_type_is_told_once_and_not_tried_again() {
    let world = World::managed().await;
    let id = world.order(world.buyer().await).await;
    let mut conn = world.conn().await;
    conn.execute(
        "ALTER TABLE orders ALTER buyer_id DROP NOT NULL; UPDATE orders SET buyer_id = NULL",
    )
    .await
    .unwrap();
    let before = world.dump(&[]).await;
    let socket = world.options.get_socket().unwrap();
    let wire = Wire::new(socket, "SELECT pg_advisory_xact_lock", Fault::Never, 1_000);
    let far = World::open(wire.options(&world.options)).await;
    let error = far.run(cancel(id)).await.unwrap_err();
    let PlanError::Database(db::Error::Inconsistent { table: Some("orders"), .. }) = &error else {
        panic!("{error:?}");
    };
    let told = error.to_string();
    assert!(told.starts_with("a value of orders cannot be read: "), "{told}");
    assert!(told.contains("null, expected"), "{told}");
    assert_eq!(wire.broken(), 1, "it was asked once");
    assert_eq!(world.dump(&[]).await, before);
}

#[tokio::test]
async fn a_missing_right_is_named_before_and_refused_whole() {
    for schema in [None, Some(Schema::Marten9)] {
        let world = match schema {
            None => World::managed().await,
            Some(schema) => World::service(schema, "2-delivered", "'outbox'").await,
        };
        let mut conn = world.conn().await;
        let role = format!("clerk_{}", world.options.get_database().unwrap());
        let grants = format!(
            "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA public, orderscope TO {role};
             GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public, orderscope TO {role};
             GRANT USAGE ON ALL SEQUENCES IN SCHEMA public, orderscope TO {role};
             GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA orderscope TO {role};
             REVOKE INSERT ON public.mt_events FROM {role}"
        );
        conn.execute(AssertSqlSafe(grants)).await.unwrap();
        let id = match schema {
            None => world.order(world.buyer().await).await,
            Some(_) => sqlx::query_scalar("SELECT id FROM orders WHERE status = 0 LIMIT 1")
                .fetch_one(&mut conn)
                .await
                .unwrap(),
        };
        let clerk = World::open(world.options.clone().username(&role)).await;
        let before = world.dump(&[]).await;
        let made = clerk.plan(cancel(id)).await.unwrap();
        let lacks: Vec<_> = made.checks.iter().filter(|c| c.verdict == Verdict::Blocking).collect();
        assert_eq!(lacks.len(), 1, "{:?}", made.checks);
        assert!(lacks[0].text.contains("INSERT on mt_events"));
        let ended = clerk.run(cancel(id)).await;
        assert!(matches!(ended, Err(PlanError::NotPermitted(_))), "{ended:?}");
        let except = [
            "public.outbox_message_sequence_number_seq",
            "orderscope.audit_number_seq",
            "orderscope.audit_number",
        ];
        let (mut after, mut before) = (world.dump(&[]).await, before);
        for name in except {
            after.remove(name);
            before.remove(name);
        }
        assert_eq!(after, before);
        // What needs no event can still be done.
        clerk.run(Command::DeleteOrder { id }).await.unwrap();
        drop(clerk);
        let gone = format!("DROP OWNED BY {role}; DROP ROLE {role}");
        conn.execute(AssertSqlSafe(gone)).await.unwrap();
    }
}

#[tokio::test]
async fn a_row_that_someone_holds_is_waited_for_and_then_given_up() {
    let world = World::managed().await;
    let id = world.order(world.buyer().await).await;
    let mut holder = world.conn().await;
    holder.execute("BEGIN").await.unwrap();
    sqlx::query("SELECT FROM orders WHERE id = $1 FOR UPDATE")
        .bind(id)
        .execute(&mut holder)
        .await
        .unwrap();
    let limits =
        db::Limits { statement: std::time::Duration::from_secs(4), ..db::Limits::default() };
    let hasty = super::world::limited(&world.options, "mai", &limits).await.unwrap();
    let ended = execute(&hasty, &request(cancel(id)), now()).await;
    assert!(matches!(ended, Err(PlanError::Database(db::Error::Locked(_)))), "{ended:?}");
    holder.execute("ROLLBACK").await.unwrap();
    execute(&hasty, &request(cancel(id)), now()).await.unwrap();
    world.agrees(id, 2).await;
}

#[tokio::test]
async fn a_reader_does_not_become_a_writer() {
    let world = World::managed().await;
    let mut policy = super::world::policy();
    policy.read_only = true;
    let db = db::Db::new(&world.options, &db::Limits::default());
    let operator = world.writer.operator().clone();
    let opened = orderscope::ops::operation::Writer::open(&db, operator, policy).await;
    assert!(matches!(opened, Err(PlanError::ReadOnly)));
}
