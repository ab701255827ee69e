//! A second person where it is large, and rights that are asked for before anything starts.

use orderscope::{
    db::{Db, Limits, operations},
    domain::batch::{Refusal, State},
    ops::{
        operation::{
            self, Check, Confirmation, PlanError, Progress, Verdict, Writer,
            batch::{self, Purge, Which},
        },
        operator::Operator,
        policy::Policy,
    },
};
use sqlx::{Connection, PgConnection};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::marks::{
    MARKS, approving, at_now, begun, context, counted, driven, request, sql, world,
};
use crate::commands::world::{World, now, policy};

/// Someone with a login of their own, who may do what `rights` grant.
async fn person(world: &World, name: &str, rights: &str, policy: Policy) -> Writer {
    let role = format!("{name}_{}", world.options.get_database().unwrap());
    sql(world, &format!("CREATE ROLE {role} LOGIN; {}", rights.replace("ROLE", &role))).await;
    let options = world.options.clone().username(&role);
    let operator = Operator { name: name.to_owned(), host: "ws-2".to_owned(), role };
    Writer::open(&Db::new(&options, &Limits::default()), operator, policy).await.unwrap()
}

const ALL: &str = "GRANT USAGE ON SCHEMA public, orderscope TO ROLE;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public, orderscope TO ROLE;
    GRANT USAGE ON ALL SEQUENCES IN SCHEMA public, orderscope TO ROLE";
const LOOKS: &str = "GRANT USAGE ON SCHEMA public, orderscope TO ROLE;
    GRANT SELECT ON ALL TABLES IN SCHEMA public, orderscope TO ROLE";

#[tokio::test]
async fn a_large_one_waits_for_another_login() {
    let world = world(30).await;
    let careful = Policy { approve_above: Some(20), ..policy() };
    let mai = person(&world, "mai", ALL, careful.clone()).await;
    let context_of_mai = context(&mai);
    let stop = CancellationToken::new();
    let plan = batch::plan(&context_of_mai, &MARKS, &request(Uuid::now_v7()), &stop).await.unwrap();
    assert_eq!(plan.selected.approve_above, Some(20));
    assert!(plan.checks.iter().any(|check| check.text.contains("a second person")));
    let operation = begun(&mai, &MARKS, None).await;
    assert_eq!((operation.state, operation.needs_approval), (State::Waiting, true));
    let number = operation.number;
    let refused = driven(&mai, &MARKS, &operation).await.unwrap_err();
    assert_eq!(refused, PlanError::NotNow { number, why: Refusal::NotApproved });
    // Another name with the same login is the same person.
    let mut alias = mai.operator().clone();
    alias.name = "huong".to_owned();
    let options = world.options.clone().username(&alias.role);
    let db = Db::new(&options, &Limits::default());
    let alias = Writer::open(&db, alias, careful.clone()).await.unwrap();
    let same = batch::approve(&context(&alias), &approving(number), number).await.unwrap_err();
    assert!(matches!(same, PlanError::SameLogin { .. }), "{same:?}");
    let forced = "UPDATE orderscope.operations SET state = 'ready' WHERE state = 'waiting'";
    let mut conn = PgConnection::connect_with(&options).await.unwrap();
    assert!(sqlx::query(forced).execute(&mut conn).await.is_err(), "the table says the same");

    // The plan says it before anybody is asked.
    let plan = operation::plan(&context(&mai), approving(number), &stop).await.unwrap();
    assert!(plan.is_blocked(), "{plan:?}");
    let huong = person(&world, "huong", ALL, careful).await;
    let plan = operation::plan(&context(&huong), approving(number), &stop).await.unwrap();
    assert!(!plan.is_blocked() && plan.confirmation.phrase == "APPROVE", "{plan:?}");
    let (progress, _seen) = watch::channel(Progress::default());
    let unconfirmed = Confirmation::Typed("CANCEL");
    let refused = operation::run(&context(&huong), &plan, unconfirmed, &progress, &stop).await;
    assert!(matches!(refused, Err(PlanError::Unconfirmed { .. })), "{refused:?}");
    let approved =
        batch::approve(&context(&huong), &approving(number), number).await.unwrap().record;
    assert_eq!(approved.state, State::Ready);
    assert_eq!(approved.approver.as_deref(), Some("huong@ws-2"));
    assert_ne!(approved.approver_login.as_deref(), Some(approved.login.as_str()));
    let twice = batch::approve(&context(&huong), &approving(number), number).await.unwrap_err();
    assert_eq!(twice, PlanError::NotNow { number, why: Refusal::NeedsNoApproval });
    assert_eq!(driven(&mai, &MARKS, &operation).await.unwrap().state, State::Done);
    assert_eq!(counted(&world).await, [(1, 30)]);
    let logins = "SELECT count(DISTINCT login) FROM orderscope.audit
                  WHERE intent IN ('CountMarks', 'ApproveOperation')";
    assert_eq!(world.count(logins).await, 2);
}

#[tokio::test]
async fn a_small_one_needs_nobody_and_policies_name_who_approves() {
    let world = world(20).await;
    let careful = Policy { approve_above: Some(20), ..policy() };
    let mai = person(&world, "mai", ALL, careful.clone()).await;
    assert_eq!(begun(&mai, &MARKS, None).await.state, State::Ready);
    sql(&world, "INSERT INTO marks VALUES (21)").await;
    let large = begun(&mai, &MARKS, None).await;
    assert_eq!(large.state, State::Waiting);
    let allow = [("nobody".to_owned(), vec!["ApproveOperation".to_owned()])];
    let strict = Policy { allow: allow.into(), ..careful };
    let huong = person(&world, "huong", ALL, strict).await;
    let (ctx, stop) = (context(&huong), CancellationToken::new());
    let denied = operation::plan(&ctx, approving(large.number), &stop).await.unwrap_err();
    assert!(denied.to_string().contains("ApproveOperation is not allowed"), "{denied}");
}

#[tokio::test]
async fn who_lacks_rights_is_told_before_anything_starts() {
    let world = World::managed().await;
    sql(
        &world,
        "INSERT INTO inbox_state (message_id, consumer_id, lock_id, received, receive_count, consumed, delivered)
         VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), now() - interval '90 days', 3,
                 now() - interval '90 days', now() - interval '90 days')",
    )
    .await;
    let guest = person(&world, "guest", LOOKS, policy()).await;
    let (context, stop) = (at_now(&guest), CancellationToken::new());
    let kind = Purge::inbox(now() - chrono::TimeDelta::days(30));
    let plan = batch::plan(&context, &kind, &request(Uuid::now_v7()), &stop).await.unwrap();
    assert!(
        plan.checks.iter().any(Check::forbids)
            && plan.selected.items == 1
            && plan.sample.is_empty(),
        "{plan:?}"
    );
    let blocks = plan.checks.iter().filter(|check| check.verdict == Verdict::Blocking);
    let blocks: Vec<_> = blocks.map(|check| check.text.clone()).collect();
    for what in
        ["INSERT on orderscope.operations", "DELETE on inbox_state", "INSERT on orderscope.audit"]
    {
        assert!(blocks.iter().any(|text| text.contains(what)), "{what}: {blocks:?}");
    }
    let (progress, _seen) = watch::channel(Progress::default());
    let asked = request(Uuid::now_v7());
    let refused =
        batch::start(&context, &kind, &asked, &plan.selected, &progress, &stop).await.unwrap_err();
    assert!(matches!(refused, PlanError::Blocked(_)), "{refused:?}");
    let mut conn = world.conn().await;
    assert_eq!(operations::list(&mut conn, Which::All, 10).await.unwrap(), []);
    let (young, request) = (Purge::inbox(chrono::Utc::now()), request(Uuid::now_v7()));
    let young = batch::plan(&context, &young, &request, &stop).await.unwrap_err();
    assert!(young.to_string().contains("older than"), "{young}");
}
