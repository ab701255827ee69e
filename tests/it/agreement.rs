//! Console and verbs tell the same of every operation there is: the card's facts are those that `--dry-run` prints, in
//! every form, and what is refused is refused in the same words and with the same exit code, tried out or not.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use orderscope::{
    db::{Db, Limits},
    demo::{self, DemoWork, Task, scenario::Scenario},
    domain::{
        decide::{Address, Command, NewLine},
        id::{BookId, BuyerId, LineId, OrderId, OutboxId},
        outbox_action::{Name, OutboxAction, Repair, Source},
    },
    ops::{
        Clock, ServerClock,
        delivery::{Delivery, Scope},
        error_queue::{self, ErrorAction, Pick},
        operation::{
            self, BrokerAccess, Context, ErrorWork, Kind, OPERATIONS, Operation, Owner, Plan,
            PlanError, PlanRequest, Target, Writer, batch::Purge,
        },
        operator::Operator,
        policy::Policy,
    },
    relay,
    servers::Servers,
    tui::{change, ui::plan_card::Mark},
    workers,
};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    error_queues,
    pty::terminal::url,
    relay::{EXCHANGE, QUEUE, plant},
    support::{
        fixture::{self, Schema},
        postgres::{self, managed, pg18},
        rabbitmq::{self, Broker},
    },
    verbs::{Done, Home},
};

const THERE: &str = "rabbitmq://rabbitmq/BookWorm.Contracts:UserCheckedOutIntegrationEvent";
const ERRORS: &str = "basket-checkout-complete_error";
const BY: [&str; 4] = ["--operator", "mai", "--reason", "CB-91"];

/// An operation, and the command line that asks for it.
struct Case {
    operation: Operation,
    words: Vec<String>,
}

/// Databases and a broker on which every operation can be planned.
struct Scene {
    broker: Broker,
    ours: PgConnectOptions,
    errors: PgConnectOptions,
    pending: PgConnectOptions,
    service: PgConnectOptions,
    attached: PgConnectOptions,
    empty: PgConnectOptions,
    demo: PgConnectOptions,
    /// Bulk operations are not over here.
    bulk: PgConnectOptions,
    /// The same database with another login.
    lead: PgConnectOptions,
    ids: BTreeMap<&'static str, String>,
}

async fn sql(options: &PgConnectOptions, text: &str) {
    let mut conn = PgConnection::connect_with(options).await.unwrap();
    conn.execute(AssertSqlSafe(text.to_owned())).await.unwrap();
}

async fn one(options: &PgConnectOptions, text: &str) -> String {
    let mut conn = PgConnection::connect_with(options).await.unwrap();
    sqlx::query_scalar(AssertSqlSafe(text.to_owned())).fetch_one(&mut conn).await.unwrap()
}

fn done(home: &Home, words: &[&str]) -> Value {
    home.json(&[words, &BY[..], &["--yes"]].concat(), 0)
}

fn run(options: &PgConnectOptions, broker: &Broker, words: &[&str]) -> Done {
    let home = Home::on(options);
    let mut command = home.command();
    command.env("ORDERSCOPE_AMQP_URL", broker.url()).args(words);
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Done { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// A database in which operation 1 waits for a second person, operation 2 is paused, and the process that ran operation
/// 3 was killed.
async fn waiting() -> PgConnectOptions {
    let options = managed().await;
    let rows = format!(
        "INSERT INTO inbox_state (message_id, consumer_id, lock_id, received, receive_count, consumed, delivered)
         SELECT gen_random_uuid(), gen_random_uuid(), '{}', now() - interval '50 days', 3, now(),
                now() - interval '40 days' FROM generate_series(1, 3)",
        Uuid::nil()
    );
    sql(&options, &rows).await;
    let home = Home::new();
    let file = home.dir.path().join("careful.toml");
    let config = format!("[contexts.careful]\nurl = {:?}\napprove_above = 1\n", url(&options));
    std::fs::write(&file, config).unwrap();
    let at = ["--config", file.to_str().unwrap(), "--context", "careful"];
    let purge = ["inbox", "purge", "--older-than", "30", "--yes"];
    for _ in 1..=3 {
        let done = home.run(&[&at[..], &purge[..], &BY[..]].concat());
        assert_eq!(done.code, 5, "{done:?}");
    }
    let steered = "UPDATE orderscope.operations SET approver = 'lead@ws-2', approver_login = 'lead', approved_at = now(),
                          runner = 'mai@ws-1', runner_login = 'mai', runner_since = now(), started_at = now(),
                          state = CASE number WHEN 2 THEN 'paused' ELSE 'running' END
                   WHERE number > 1";
    sql(&options, steered).await;
    options
}

impl Scene {
    async fn new() -> Self {
        let broker = rabbitmq::broker().await;
        let ours = managed().await;
        let home = Home::on(&ours);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut ids = BTreeMap::new();
        let buyer = text(&done(&home, &["buyer", "create", "--name", "Le Thi"])["target"]);
        let order = || {
            let line = format!("{}:2:14.20", Uuid::from_u128(1));
            text(&done(&home, &["order", "create", "--buyer", &buyer, "--line", &line])["target"])
        };
        let (new, deleted) = (order(), order());
        done(&home, &["order", "delete", &deleted]);
        // Outboxes in the order of their messages: one pending, one held, one whose message is taken out.
        order();
        let outbox = async |sequence: i64| {
            let of = "SELECT outbox_id::text FROM outbox_message WHERE sequence_number =";
            one(&ours, &format!("{of} {sequence}")).await
        };
        ids.insert("pending", outbox(1).await);
        ids.insert("held", outbox(2).await);
        done(&home, &["messages", "hold", &ids["held"]]);
        done(&home, &["messages", "quarantine", "3"]);
        let copy = home.json(&["messages", "list", "--view", "kept"], 0)[0]["copy"].to_string();
        ids.extend([("buyer", buyer), ("new", new), ("deleted", deleted), ("copy", copy)]);
        let old = format!(
            "INSERT INTO outbox_state (outbox_id, lock_id, created, delivered)
                 VALUES ('{id}', '{nil}', now(), now() - interval '40 days');
             INSERT INTO outbox_message (sent_time, outbox_id, message_id, content_type, message_type, body, properties)
                 VALUES (now(), '{id}', gen_random_uuid(), 'application/json', 'urn:message:A:B', '{{}}', '{{}}');
             INSERT INTO inbox_state (message_id, consumer_id, lock_id, received, receive_count, consumed, delivered)
                 VALUES (gen_random_uuid(), gen_random_uuid(), '{nil}', now() - interval '50 days', 3, now(),
                         now() - interval '40 days'),
                        (gen_random_uuid(), gen_random_uuid(), '{nil}', now() - interval '30 days', 0, NULL, NULL),
                        ('{id}', '{id}', '{nil}', now() - interval '50 days', 4, now(), now() - interval '40 days');
             INSERT INTO outbox_message (sent_time, inbox_message_id, inbox_consumer_id, message_id, content_type,
                     message_type, body)
                 VALUES (now(), '{id}', '{id}', gen_random_uuid(), 'application/json', 'urn:message:A:B', '{{}}')",
            id = Uuid::now_v7(),
            nil = Uuid::nil(),
        );
        sql(&ours, &old).await;

        let errors = error_queues::attached("2-delivered").await;
        error_queues::plant(
            &broker,
            &error_queues::real(),
            &["basket-checkout-complete", "basket-checkout-failed"],
        )
        .await;
        let discard = ["errors", "discard", "--all", "--limit", "1", "--queue", ERRORS];
        let discarded = run(&errors, &broker, &[&discard[..], &BY[..], &["--yes"]].concat());
        assert_eq!(discarded.code, 0, "{discarded:?}");
        let kept = Home::on(&errors).json(&["messages", "list", "--view", "kept"], 0);
        ids.insert("discarded", kept[0]["copy"].to_string());

        let pending = managed().await;
        broker.bind(QUEUE, &[EXCHANGE]).await;
        plant(&pending, 2, 3).await;
        let service = fixture::own(pg18(), Schema::Marten9, "1-backlog").await;
        let attached = error_queues::attached("1-backlog").await;
        let empty = pg18().empty().await;
        let demo = postgres::demo(100).await;
        let bulk = waiting().await;
        let role = format!("lead_{}", bulk.get_database().unwrap());
        sql(&bulk, &format!("CREATE ROLE {role} LOGIN SUPERUSER")).await;
        let lead = bulk.clone().username(&role);
        Self { broker, ours, errors, pending, service, attached, empty, demo, bulk, lead, ids }
    }

    fn id(&self, name: &str) -> Uuid {
        self.ids[name].parse().unwrap()
    }

    fn number(&self, name: &str) -> i64 {
        self.ids[name].parse().unwrap()
    }

    /// Where an operation is tried, and where it is refused.
    fn database(&self, kind: Kind, refused: bool) -> &PgConnectOptions {
        match kind {
            Kind::ReplayErrors | Kind::DiscardErrors | Kind::RestoreErrors => &self.errors,
            Kind::DrainOutbox => &self.pending,
            Kind::Attach | Kind::Migrate if !refused => {
                if kind == Kind::Attach {
                    &self.service
                } else {
                    &self.empty
                }
            }
            // Whoever started an operation may not approve it.
            Kind::ApproveOperation if !refused => &self.lead,
            Kind::ApproveOperation
            | Kind::ResumeOperation
            | Kind::PauseOperation
            | Kind::CancelOperation => &self.bulk,
            Kind::HandOver if refused => &self.attached,
            Kind::LoadDemo if !refused => &self.empty,
            Kind::PlantScenario | Kind::HealScenario if !refused => &self.demo,
            Kind::Migrate => &self.service,
            _ => &self.ours,
        }
    }

    /// One of every kind, as it can be run, or as it is refused.
    fn case(&self, kind: Kind, refused: bool) -> Case {
        let order = |running: &str, refusing: &str| {
            OrderId(self.id(if refused { refusing } else { running }))
        };
        let sequence = if refused { 999_999 } else { 1 };
        let days = |before: &str| before.parse::<DateTime<Utc>>().unwrap();
        // Nothing is that old.
        let before = if refused { "2000-01-01T00:00:00Z" } else { &Self::before() };
        let nobody = Uuid::from_u128(0x7b40);
        let words = |text: String| text.split(' ').map(ToOwned::to_owned).collect::<Vec<_>>();
        let command = |command: Command, text: String| Case {
            operation: Operation::Order(command),
            words: words(text),
        };
        let outbox = |action: OutboxAction, text: String| Case {
            operation: Operation::Outbox(action),
            words: words(text),
        };
        let bulk = |purge: Purge, text: String| Case {
            operation: purge.operation(None),
            words: words(text),
        };
        match kind {
            Kind::CompleteOrder => {
                let id = order("new", "deleted");
                command(Command::CompleteOrder { id }, format!("order complete {id}"))
            }
            Kind::CancelOrder => {
                let id = order("new", "deleted");
                let cancel = Command::CancelOrder { id, reason: "CB-91".to_owned() };
                command(cancel, format!("order cancel {id}"))
            }
            Kind::DeleteOrder => {
                let id = order("new", "deleted");
                command(Command::DeleteOrder { id }, format!("order delete {id}"))
            }
            Kind::RestoreOrder => {
                let id = order("deleted", "new");
                command(Command::RestoreOrder { id }, format!("order restore {id}"))
            }
            Kind::UpdateBuyerAddress => {
                let id = BuyerId(if refused { nobody } else { self.id("buyer") });
                let address = Address { city: Some("Hue".to_owned()), ..Address::default() };
                let change = Command::UpdateBuyerAddress { id, address };
                command(change, format!("buyer address {id} --city Hue"))
            }
            Kind::CreateOrder => {
                let buyer = BuyerId(if refused { nobody } else { self.id("buyer") });
                let (id, book) = (OrderId(Uuid::from_u128(0x8c41)), BookId(Uuid::from_u128(2)));
                let price = "14.20".parse().unwrap();
                let line = NewLine { id: LineId(Uuid::now_v7()), book, quantity: 2, price };
                let create = Command::CreateOrder { id, buyer, note: None, lines: vec![line] };
                let text = format!("order create --id {id} --buyer {buyer} --line {book}:2:14.20");
                command(create, text)
            }
            Kind::CreateBuyer => {
                let id = BuyerId(Uuid::from_u128(0x4e10));
                let name = if refused { "x".repeat(21) } else { "Mai".to_owned() };
                let text = format!("buyer create --id {id} --name {name}");
                command(Command::CreateBuyer { id, name, address: Address::default() }, text)
            }
            Kind::RepairMessage => {
                let repair = Repair { destination: Some(THERE.to_owned()), ..Repair::default() };
                let text = format!("messages repair {sequence} --destination {THERE}");
                outbox(OutboxAction::Repair { sequence, repair }, text)
            }
            Kind::QuarantineMessage => outbox(
                OutboxAction::Quarantine { sequence },
                format!("messages quarantine {sequence}"),
            ),
            Kind::HoldOutbox => {
                let outbox_id = OutboxId(if refused { nobody } else { self.id("pending") });
                let hold = OutboxAction::Hold { outbox: outbox_id };
                outbox(hold, format!("messages hold {outbox_id}"))
            }
            Kind::ReleaseOutbox => {
                let name = if refused { "pending" } else { "held" };
                let outbox_id = OutboxId(self.id(name));
                let release = OutboxAction::Release { outbox: outbox_id };
                outbox(release, format!("messages release {outbox_id}"))
            }
            Kind::RequeueMessage => {
                let number = if refused { 999 } else { self.number("copy") };
                let source = Source::Kept(number);
                let requeue = OutboxAction::Requeue { source, name: Name::Same };
                outbox(requeue, format!("messages requeue {number}"))
            }
            Kind::PurgeOutbox => {
                bulk(Purge::outboxes(days(before)), format!("messages purge --before {before}"))
            }
            Kind::PurgeInbox => {
                bulk(Purge::inbox(days(before)), format!("inbox purge --before {before}"))
            }
            Kind::PurgeConsumed => bulk(
                Purge::consumers(days(before)),
                format!("messages purge-consumed --before {before}"),
            ),
            Kind::RemoveFailedInbox => {
                bulk(Purge::failed(days(before)), format!("inbox remove-failed --before {before}"))
            }
            Kind::ReplayErrors | Kind::DiscardErrors => {
                let action = match kind {
                    Kind::ReplayErrors => ErrorAction::Replay,
                    _ => ErrorAction::Discard,
                };
                // Nothing of these waits, and nothing of the other queue's is done.
                let operation =
                    Operation::Errors(ErrorWork { action, pick: Pick::All, rate: None });
                let queue = Self::queue(kind, refused);
                Case { operation, words: words(format!("errors {action} --all --queue {queue}")) }
            }
            Kind::DrainOutbox => {
                let scope = if refused { Scope::Outbox(nobody) } else { Scope::All };
                let option =
                    if refused { format!("--outbox {nobody}") } else { "--all".to_owned() };
                let words = words(format!("messages drain {option}"));
                Case { operation: Operation::Drain(scope), words }
            }
            Kind::RestoreErrors => {
                let number = if refused { 999 } else { self.number("discarded") };
                let words = words(format!("errors restore {number}"));
                Case { operation: Operation::Restore(number), words }
            }
            Kind::ApproveOperation => {
                Case { operation: Operation::Approve(1), words: words("op approve 1".to_owned()) }
            }
            Kind::ResumeOperation => {
                // One that waits for approval is not run.
                let number = if refused { 1 } else { 2 };
                let words = words(format!("op resume {number}"));
                Case { operation: Operation::Resume(number), words }
            }
            Kind::PauseOperation => {
                let number = if refused { 2 } else { 3 };
                let words = words(format!("op pause {number}"));
                Case { operation: Operation::Pause(number), words }
            }
            Kind::CancelOperation => {
                let number = if refused { 999 } else { 1 };
                let words = words(format!("op cancel {number}"));
                Case { operation: Operation::Cancel(number), words }
            }
            Kind::Attach => Case {
                operation: Operation::Attach { publisher: None },
                words: words("attach".to_owned()),
            },
            Kind::HandOver => Case {
                operation: Operation::HandOver { publisher: None },
                words: words("hand-over".to_owned()),
            },
            Kind::Migrate => {
                Case { operation: Operation::Migrate, words: words("migrate".to_owned()) }
            }
            Kind::LoadDemo => {
                let text = "demo load --orders 100 --seed 1 --years 1 --until 2026-11-22";
                let options = words(text.to_owned()).split_off(2);
                Case { operation: Operation::Work { kind, options }, words: words(text.to_owned()) }
            }
            Kind::PlantScenario => Case {
                operation: Operation::Work { kind, options: vec!["poison".to_owned()] },
                words: words("demo scenario poison".to_owned()),
            },
            Kind::HealScenario | Kind::ResetPrivate | Kind::UpgradePrivate => Case {
                operation: Operation::Work { kind, options: vec![] },
                words: words(kind.spec().verb.to_owned()),
            },
        }
    }

    fn before() -> String {
        (Utc::now() - chrono::TimeDelta::days(25)).format("%Y-%m-%dT00:00:00Z").to_string()
    }

    /// The queue that a replay or a discard looks into.
    fn queue(kind: Kind, refused: bool) -> &'static str {
        match (kind, refused) {
            (Kind::ReplayErrors, false) | (Kind::DiscardErrors, true) => {
                "basket-checkout-failed_error"
            }
            _ => ERRORS,
        }
    }

    /// The plan that the console would show.
    async fn planned(
        &self,
        kind: Kind,
        refused: bool,
        request: PlanRequest,
    ) -> Result<Plan, PlanError> {
        let options = self.database(kind, refused);
        let (clock, stop): (Clock, _) = (Arc::new(Utc::now), CancellationToken::new());
        let server = ServerClock::new(Arc::clone(&clock));
        if matches!(kind, Kind::Attach | Kind::HandOver | Kind::Migrate) {
            let owner = Owner::open(&options.into(), Some("mai"), policy(), &server).await.unwrap();
            return operation::plan(&Context::owning(&owner, clock), request, &stop).await;
        }
        if let Operation::Work { kind, .. } = &request.operation {
            let until = chrono::NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
            let task = match kind {
                Kind::LoadDemo => {
                    let options = demo::Options { orders: 100, seed: 1, years: 1, until };
                    Task::Load { options, replace: false }
                }
                Kind::PlantScenario => Task::Plant(Scenario::Poison),
                _ => Task::Heal,
            };
            let servers: Servers = options.into();
            let owner = Owner::open(&servers, Some("mai"), policy(), &server).await.unwrap();
            let broker = Some(relay::Broker::parse(&self.broker.url(), None).unwrap());
            let work = DemoWork { task, servers, broker, progress: |_| () };
            let owner = owner.working(Box::new(work));
            return operation::plan(&Context::owning(&owner, clock), request, &stop).await;
        }
        let long = Duration::from_mins(1);
        let limits = Limits { statement: long, planning: long, ..Limits::default() };
        let db = Db::new(options, &limits);
        let layout = db.layout().await.unwrap();
        let operator = Operator::new(Some("mai"), layout.role()).unwrap();
        let writer = Writer::open(&db, operator, policy()).await.unwrap();
        let broker = relay::Broker::parse(&self.broker.url(), None).unwrap();
        let scope = error_queue::Scope {
            queues: vec![Self::queue(kind, refused).to_owned()],
            ..error_queue::Scope::default()
        };
        let source = error_queue::Source { broker: broker.clone(), scope };
        let access = BrokerAccess::new(source, move |options| {
            let settings = workers::relay::Settings::new(options.clone(), broker.clone());
            Ok(Box::new(settings) as Box<dyn Delivery>)
        });
        let plan =
            operation::plan(&Context::new(&writer, Ok(&access), clock), request, &stop).await;
        writer.close().await;
        db.close().await;
        plan
    }
}

fn policy() -> Policy {
    Policy { context: "database".to_owned(), ..Policy::default() }
}

/// Ids, times and numbers of processes differ from one plan to the next: each becomes a mark. Without blanks and
/// frames, for a line may be broken anywhere.
fn norm(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '│' | '⏎')) {
        let c = if c.is_ascii_hexdigit() || matches!(c, '-' | ':' | '.') { '#' } else { c };
        if c != '#' || !out.ends_with('#') {
            out.push(c);
        }
    }
    out
}

fn sign(mark: Mark) -> &'static str {
    match mark {
        Mark::Ok => "ok",
        Mark::Warn => "warn",
        Mark::Block => "BLOCK",
        Mark::Unknown => "??",
    }
}

/// What the card of a plan says, as kind, name and text; ids and times are marks.
fn of_card(plan: &Plan) -> Vec<(String, String, String)> {
    let card = change::facts(plan, true);
    let fact = |kind: &str, name: &str, text: &str| (kind.to_owned(), name.to_owned(), norm(text));
    let mut out = vec![fact("plan", &card.command, &card.title)];
    out.extend(card.checks.iter().map(|(mark, text)| fact("check", sign(*mark), text)));
    out.extend(card.effects.iter().map(|(place, change)| fact("effect", place, change)));
    out.extend(card.listed.iter().map(|text| fact("listed", "", text)));
    out.push(fact("undo", "", &card.undo));
    out.push(fact("word", "", &card.word));
    out.push(fact("cli_equivalent", "", &card.cli_equivalent));
    out
}

/// The same as a list of messages shows it: a key that is cut.
fn listed(key: &str, text: &str) -> String {
    if key.is_empty() { norm(text) } else { norm(&format!("{key:.10}  {text}")) }
}

fn of_json(plan: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all = |name: &str| plan[name].as_array().unwrap().clone();
    let mut out = vec![("plan".to_owned(), text(&plan["command"]), norm(&text(&plan["plan"])))];
    for check in all("checks") {
        out.push(("check".to_owned(), text(&check["verdict"]), norm(&text(&check["text"]))));
    }
    for effect in all("effects") {
        out.push(("effect".to_owned(), text(&effect["place"]), norm(&text(&effect["change"]))));
    }
    for one in all("listed") {
        let shown = listed(&text(&one["key"]), &text(&one["text"]));
        out.push(("listed".to_owned(), String::new(), shown));
    }
    for name in ["undo", "word", "cli_equivalent"] {
        out.push((name.to_owned(), String::new(), norm(&text(&plan[name]))));
    }
    out
}

fn of_csv(rows: &[csv::StringRecord]) -> Vec<(String, String, String)> {
    let row = |row: &csv::StringRecord| {
        // A cell that a spreadsheet would take for a formula is quoted.
        let text = row[2].strip_prefix('\'').unwrap_or(&row[2]);
        let (kind, name) = (row[0].to_owned(), row[1].to_owned());
        if kind == "listed" {
            return (kind, String::new(), listed(&name, text));
        }
        (kind, name, norm(text))
    };
    rows.iter().map(row).collect()
}

fn csv(text: &str) -> Vec<csv::StringRecord> {
    csv::Reader::from_reader(text.as_bytes()).records().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_card_and_a_dry_run_tell_the_same_of_every_operation() {
    let scene = Scene::new().await;
    // The private server is no database of the scene.
    for spec in OPERATIONS.iter().filter(|spec| spec.target != Target::PrivateServer) {
        for refused in [false, true] {
            agrees(&scene, spec.kind, refused).await;
        }
    }
}

async fn agrees(scene: &Scene, kind: Kind, refused: bool) {
    let (spec, options) = (kind.spec(), scene.database(kind, refused));
    let what = format!("{}, refused: {refused}", spec.name);
    let Case { operation, words } = scene.case(kind, refused);
    assert_eq!(operation.spec(), spec, "{what}");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    assert!(words.join(" ").starts_with(spec.verb), "{what}: {words:?}");
    let own = kind == Kind::CancelOrder;
    let reason = (!own).then(|| "CB-91".to_owned());
    let planned = scene.planned(kind, refused, PlanRequest::new(operation, reason)).await;
    let run = |more: &[&str]| run(options, &scene.broker, &[&words[..], &BY[..], more].concat());

    let ended = match &planned {
        Ok(plan) => plan.runnable(),
        Err(error) => Err(error.clone()),
    };
    assert_eq!(ended.is_err(), refused, "{what}: {ended:?}");
    let forms = ["table", "json", "csv"].map(|form| run(&["--dry-run", "-o", form]));
    if let Ok(plan) = &planned {
        let [table, json, rows] = &forms;
        let card = of_card(plan);
        assert_eq!(of_json(&serde_json::from_str(&json.out).unwrap()), card, "{what}");
        assert_eq!(of_csv(&csv(&rows.out)), card, "{what}");
        let shown = norm(&table.out);
        for (kind, name, text) in &card {
            // The title stands in the frame, which cuts a long one.
            let most = if kind == "plan" { 24 } else { usize::MAX };
            let text: String = text.chars().take(most).collect();
            assert!(shown.contains(&text), "{what}: no {kind} {name} {text:?} in\n{}", table.out);
        }
    }
    match ended {
        Ok(()) => assert!(forms.iter().all(|done| done.code == 0), "{what}: {forms:?}"),
        Err(error) => {
            // As a person asks for it, and as a script that agrees to everything does.
            let run = [run(&[]), run(&["--yes"])];
            let told = norm(&format!("orderscope: {error}"));
            for done in forms.iter().chain(&run) {
                assert!([1, 4].contains(&done.code), "{what}: {done:?}");
                assert_eq!(done.code, run[0].code, "{what}: {done:?}");
                assert!(norm(&done.err).contains(&told), "{what}: no {error} in {done:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_lies_a_replay_is_refused_like_everything_that_finds_nothing() {
    let broker = rabbitmq::broker().await;
    let database = error_queues::attached("2-delivered").await;
    error_queues::plant(&broker, &[], &["nobody_error"]).await;
    let replay = ["errors", "replay", "--all", "--queue", "nobody_error"];
    for more in [&["--dry-run"][..], &["--yes"], &[]] {
        let done = run(&database, &broker, &[&replay[..], &BY[..], more].concat());
        assert_eq!(done.code, 1, "{more:?}: {done:?}");
        assert!(done.err.contains("blocked: none of these may be replayed"), "{done:?}");
    }
}

#[test]
fn the_command_line_takes_what_the_table_says() {
    use clap::CommandFactory;
    let mut root = orderscope::cli::args::Cli::command();
    root.build();
    for spec in OPERATIONS {
        let mut verb = &root;
        for word in spec.verb.split(' ') {
            verb = verb.find_subcommand(word).unwrap_or_else(|| panic!("no verb {}", spec.verb));
        }
        let takes = |option: &str| {
            let name = option.trim_start_matches("--");
            verb.get_arguments().any(|argument| argument.get_long() == Some(name))
        };
        let options = spec.fields.iter().filter_map(|field| field.option);
        for option in options.chain(["--dry-run", "--reason", "--yes", "--confirm", "--output"]) {
            assert!(takes(option), "`{}` takes no {option}", spec.verb);
        }
    }
}
