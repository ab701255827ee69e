//! The real binary without a terminal: what it prints, where, and with which exit code.

use std::{
    collections::BTreeSet,
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    process::{Command, Output, Stdio},
};

use orderscope::{
    demo::{Trouble, troubles},
    domain::text::is_plain,
    embedded::{self, Config},
};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use tempfile::TempDir;

use crate::{
    pty::terminal::{environment, url},
    support::{
        fixture::{self, Schema},
        postgres::{binaries, demo, demo_options, managed, pg15, pg18},
    },
};

/// As many demo orders as are enough for all planted trouble; other tests use the same template.
const ORDERS: u64 = 2_000;

/// Bringing a schema up to date, agreed to and with a reason.
pub const MIGRATE: [&str; 4] = ["migrate", "--yes", "--reason", "new shop"];

/// A person's home in which nothing is configured, and perhaps a database.
pub struct Home {
    pub dir: TempDir,
    url: Option<String>,
    /// Variables besides.
    pub variables: Vec<(&'static str, String)>,
}

/// What a run left.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Home {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("orderscope-test-").tempdir().unwrap();
        // The private server's user must get in.
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        Self { dir, url: None, variables: vec![] }
    }

    pub fn at(url: &str) -> Self {
        Self { url: Some(url.to_owned()), ..Self::new() }
    }

    pub fn on(options: &PgConnectOptions) -> Self {
        Self { url: Some(url(options)), ..Self::new() }
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orderscope"));
        command.env_clear().envs(environment(self.dir.path())).current_dir(self.dir.path());
        command.env("ORDERSCOPE_DATA_DIR", self.dir.path().join("private"));
        command.env("ORDERSCOPE_CACHE_DIR", self.dir.path().join("cache"));
        if let Some(url) = &self.url {
            command.env("DATABASE_URL", url);
            // A verb that overlooks the URL must not find a server of its own either.
            command.env("ORDERSCOPE_PG_BIN", "/nonexistent");
        } else {
            command.env("ORDERSCOPE_PG_BIN", binaries(18));
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Done {
        let Output { status, stdout, stderr } = self.command().args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let done = Done { code: status.code().unwrap(), out: text(stdout), err: text(stderr) };
        assert!(!done.err.contains("panicked"), "{arguments:?}: {done:?}");
        done
    }

    /// The facts of an answer: its rows, where it has rows.
    pub fn json(&self, arguments: &[&str], code: i32) -> Value {
        facts(self.answer(arguments, code))
    }

    /// An answer as programs get it.
    pub fn answer(&self, arguments: &[&str], code: i32) -> Value {
        let done = self.run(&[arguments, &["--output", "json"]].concat());
        assert_eq!(done.code, code, "{arguments:?}: {done:?}");
        parsed(&done.out)
    }

    pub fn csv(&self, arguments: &[&str], code: i32) -> Vec<csv::StringRecord> {
        let done = self.run(&[arguments, &["--output", "csv"]].concat());
        assert_eq!(done.code, code, "{arguments:?}: {done:?}");
        csv::Reader::from_reader(done.out.as_bytes()).records().map(Result::unwrap).collect()
    }

    /// Exit code and standard error of a run that must not print an answer.
    pub fn refused(&self, arguments: &[&str], code: i32, told: &[&str]) {
        let done = self.run(arguments);
        assert_eq!((done.code, done.out.as_str()), (code, ""), "{arguments:?}: {done:?}");
        for told in told {
            assert!(done.err.contains(told), "{arguments:?}: no {told:?} in {}", done.err);
        }
    }
}

/// An answer in JSON, whose shape is the documented one.
pub fn parsed(out: &str) -> Value {
    let answer: Value = serde_json::from_str(out).unwrap();
    assert_eq!(answer["version"], 1, "{answer}");
    for one in answer["not_looked_at"].as_array().unwrap() {
        assert!(one["what"].is_string() && one["why"].is_string(), "{one}");
    }
    answer
}

/// Its rows, where it has rows.
pub fn facts(mut answer: Value) -> Value {
    if answer["rows"].is_array() { answer["rows"].take() } else { answer }
}

fn trouble(name: &str) -> Trouble {
    let list = troubles(&demo_options(ORDERS)).unwrap();
    list.into_iter().find(|trouble| trouble.name == name).unwrap()
}

fn order(name: &str) -> String {
    trouble(name).order.unwrap().to_string()
}

async fn sql(options: &PgConnectOptions, sql: &str) {
    let mut conn = PgConnection::connect_with(options).await.unwrap();
    conn.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
    conn.close().await.unwrap();
}

async fn one<T>(options: &PgConnectOptions, sql: &'static str) -> T
where
    T: Send + Unpin + sqlx::Type<sqlx::Postgres> + for<'r> sqlx::Decode<'r, sqlx::Postgres>,
{
    let mut conn = PgConnection::connect_with(options).await.unwrap();
    let value = sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    value
}

#[tokio::test]
async fn a_search_answers_alike_in_all_forms() {
    let home = Home::on(&demo(ORDERS).await);
    let search = ["orders", "search", "status:completed", "total:>50", "--limit", "4"];
    let done = home.run(&search);
    assert_eq!(done.code, 0, "{done:?}");
    let lines: Vec<_> = done.out.lines().collect();
    assert_eq!(lines.len(), 5, "a header and four orders: {}", done.out);
    assert!(lines[0].starts_with("id "));
    assert!(done.err.ends_with("there are more; --limit shows more than 4\n"), "{}", done.err);

    let json = home.json(&search, 0);
    let csv = home.csv(&search, 0);
    assert_eq!((json.as_array().unwrap().len(), csv.len()), (4, 4));
    for ((row, record), line) in json.as_array().unwrap().iter().zip(&csv).zip(&lines[1..]) {
        let id = row["id"].as_str().unwrap();
        assert!(line.starts_with(id) && &record[0] == id);
        assert_eq!(row["status"], "Completed");
        assert!(row["total"].as_f64().unwrap() > 50.0);
        assert_eq!(row["placed"].as_str().unwrap(), &record[1]);
        assert!(row["placed"].as_str().unwrap().ends_with('Z'));
        // Names are covered.
        assert!(row["buyer"].as_str().unwrap().contains("***"), "{row}");
    }
}

#[tokio::test]
async fn a_count_counts() {
    let options = demo(ORDERS).await;
    let home = Home::on(&options);
    let done = home.run(&["orders", "search", "status:cancelled", "--count", "--limit", "1"]);
    let rows: i64 = one(&options, "SELECT count(*) FROM orders WHERE status = 1").await;
    assert!(done.err.starts_with(&format!("{rows} match\n")), "{rows}: {}", done.err);
    let json = home.answer(&["orders", "search", "--count"], 0);
    assert_eq!(json["count"], serde_json::json!({ "rows": ORDERS, "counted": "exact" }));
    assert_eq!(json["more"], true);
}

#[tokio::test]
async fn nothing_found_is_an_empty_answer_and_code_1() {
    let home = Home::on(&demo(ORDERS).await);
    let search = ["orders", "search", "note:\"no such words anywhere\""];
    assert_eq!(home.json(&search, 1), Value::Array(vec![]));
    let whole = serde_json::json!({ "version": 1, "rows": [], "more": false, "not_looked_at": [] });
    assert_eq!(home.answer(&search, 1), whole);
    assert!(home.csv(&search, 1).is_empty());
    let done = home.run(&search);
    assert_eq!((done.out.lines().count(), done.err.as_str()), (1, "no order matches\n"));
    home.refused(&["order", "show", "00000000-0000-0000-0000-000000000000"], 1, &["no order is"]);
    home.refused(&["order", "timeline", "ffffffffffff"], 1, &["no order is"]);
}

#[tokio::test]
async fn a_malformed_query_is_marked_before_any_server_is_asked() {
    let home = Home { url: Some("postgres://nobody@localhost:1/none".into()), ..Home::new() };
    let mark = "  status:nww\n         ^^^\n";
    home.refused(&["orders", "search", "status:nww", "total:>10"], 2, &[mark, "did you mean new?"]);
    home.refused(&["orders", "search", "statsu:new"], 2, &["did you mean status:?", "^^^^^^"]);
    home.refused(&["orders", "search", "note:\"half"], 2, &["quote is not closed"]);
    home.refused(&["orders", "search", "--limt", "3"], 2, &["--limt"]);
    home.refused(&["orders", "search", "--limit", "0"], 2, &["--limit"]);
    home.refused(&["order", "show", "zz"], 2, &["zz"]);
    home.refused(&["order", "show", "8c41", "--at", "soon", "--version", "1"], 2, &["--at"]);
    home.refused(&["orders"], 2, &["search"]);
    home.refused(&["dance"], 2, &["dance"]);
}

/// Of what cannot be read nothing is repeated but what is wrong: it may be a password, or name people.
#[tokio::test]
async fn what_cannot_be_read_is_not_repeated() {
    let mark = "Quyxzol";
    let order = "00000000-0000-0000-0000-000000000000";
    let home = Home { url: Some("postgres://nobody@localhost:1/none".into()), ..Home::new() };
    let file = |name: &str, text: &str| {
        let path = home.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let url = format!("postgres://u:{mark}@h/x");
    let broken = file("broken.json", &format!("{{\"note\": \"{mark}"));
    let unknown = file("unknown.json", &format!("{{\"{mark}, expected {mark}\": 1}}"));
    let other = file("other.json", &format!("{{\"lines\": \"{mark}\"}}"));
    let given = format!("{{\"note\": \"{mark}\"}}");
    let create = ["order", "create", "--yes", "--reason", "INC-7", "--json"];
    let repair = ["messages", "repair", "4", "--yes", "--reason", "INC-7"];
    for arguments in [
        &[&create[..], &[&broken]].concat()[..],
        &[&create[..], &[&unknown]].concat(),
        &[&create[..], &[&other]].concat(),
        &[&create[..], &[&given]].concat(),
        &[&repair[..], &["--body", &given]].concat(),
        &["orders", "search", &format!("buyer:{mark}"), "total:few"],
        &["orders", "search", "total:few", &format!("buyer:\"{mark} Thi\"")],
        &["--theme", &url],
        &["--zone", &url, "orders", "search"],
        &["--operator", &format!("{url}\u{1}"), "orders", "search"],
        &["--context", &url, "orders", "search"],
        &["--database-url", &url, "orders", "search"],
        &["--database-url", &format!("{url}:bad"), "orders", "search"],
        &["--config", &url, "orders", "search"],
        &["--log", &format!("{url}/x"), "orders", "search"],
        &["open", &url],
        &["open", &format!("ops://x/{url}")],
        &[&url],
        &["orders", &url],
        &["order", "show", &url],
        &["order", "show", order, "--at", &url],
        &["order", "show", order, "--version", &url],
        &["orders", "search", "--limit", &url],
        &["orders", "search", &format!("placed:{url}")],
        &["messages", "show", &url],
        &["audit", "list", "--since", &url],
        &["relay", "--amqp-url", &format!("amqp://u:{mark}@h:bad")],
    ] {
        let done = home.run(arguments);
        assert!(done.code != 0 && !done.err.is_empty(), "{arguments:?}: {done:?}");
        assert!(!format!("{}{}", done.out, done.err).contains(mark), "{arguments:?}: {done:?}");
    }
    home.refused(&[&create[..], &[&other]].concat(), 2, &["expected a sequence at line 1"]);
    for text in [
        format!("theme = \"{mark}"),
        format!("interval = \"{mark}\""),
        format!("[contexts.a]\nurl = \"postgres://u:{mark}@h:bad/x\""),
        format!("[contexts.a]\nurl = 5 # {mark}"),
        format!("default = \"{url}\""),
        format!("zone = \"{url}\""),
        format!("theme = \"{url}\""),
        format!("[relay]\namqp_url = \"amqp://u:{mark}@h:bad\""),
    ] {
        let config = file("config.toml", &text);
        let done = home.run(&["--config", &config, "orders", "search"]);
        assert!(!format!("{}{}", done.out, done.err).contains(mark), "{text}: {done:?}");
    }
}

#[tokio::test]
async fn a_hyphen_excludes() {
    let options = demo(ORDERS).await;
    let home = Home::on(&options);
    let search = ["orders", "search", "-status:new", "--limit", "9", "--not", "status:completed"];
    let found = home.json(&search, 0);
    let found = found.as_array().unwrap();
    assert!(found.iter().all(|row| row["status"] == "Cancelled"), "{found:?}");
    home.refused(&["orders", "search", "-statsu:new"], 2, &["  -statsu:new\n   ^^^^^^"]);
    let last: String = one(
        &options,
        "SELECT id::text FROM orders WHERE status NOT IN (0, 2) ORDER BY created_at DESC, id DESC LIMIT 1",
    )
    .await;
    assert_eq!(found[0]["id"], last);
}

#[tokio::test]
async fn the_order_now_with_its_sources_compared() {
    let home = Home::on(&demo(ORDERS).await);
    let id = order("sources-disagree");
    // A finding has exit code 1.
    let shown = home.json(&["order", "show", &id], 1);
    assert_eq!(shown["id"], id);
    let compared = &shown["compared"];
    assert_eq!(
        [&compared["events"], &compared["row"], &compared["view"]],
        ["Completed", "Cancelled", "New"]
    );
    assert!(compared["row_agrees"]["differs"].as_array().unwrap().contains(&"status".into()));
    assert_eq!(compared["certain"], true);
    let done = home.run(&["order", "show", &id]);
    for told in
        ["order", "\nstatus            Completed\n", "DIFFERS in status", "first difference"]
    {
        assert!(done.out.contains(told), "no {told:?} in {}", done.out);
    }
    let rows = home.csv(&["order", "show", &id], 1);
    let value = |name: &str| rows.iter().find(|row| &row[0] == name).unwrap()[1].to_owned();
    assert_eq!((value("id"), value("compared.row")), (id.clone(), "Cancelled".to_owned()));
    // By the end of its id too.
    assert_eq!(home.json(&["order", "show", &trouble("sources-disagree").look], 1)["id"], id);
    let healthy = home.json(&["order", "show", &order("camel-case")], 0);
    assert_eq!(healthy["compared"]["row_agrees"], "same");
}

#[tokio::test]
async fn the_order_at_a_version_and_at_a_time() {
    let home = Home::on(&demo(ORDERS).await);
    let id = order("cancelled-after-completion");
    let timeline = home.json(&["order", "timeline", &id], 0);
    let steps = timeline.as_array().unwrap();
    let status: Vec<_> = steps.iter().map(|step| step["status"].as_str().unwrap()).collect();
    assert_eq!(status, ["New", "Completed", "Cancelled"]);
    for (index, status) in status.iter().enumerate() {
        let version = (index + 1).to_string();
        let shown = home.json(&["order", "show", &id, "--version", &version], 0);
        assert_eq!(shown["state"]["Status"], *status);
        // Between this event and the next.
        let at = steps[index]["at"].as_str().unwrap();
        let shown = home.json(&["order", "show", &id, "--at", at], 0);
        assert_eq!(
            (&shown["order_version"], &shown["state"]["Status"]),
            (&(index + 1).into(), &(*status).into())
        );
    }
    home.refused(&["order", "show", &id, "--at", "2001-01-01"], 1, &["did not exist then"]);
    home.refused(&["order", "show", &id, "--version", "4"], 2, &["1 to 3"]);
    home.refused(&["order", "show", &id, "--at", "v2"], 2, &["--version"]);
    home.refused(&["order", "show", &id, "--at", "soon"], 2, &["\"soon\" is not a time"]);
}

#[tokio::test]
async fn a_timeline_holds_every_event_in_all_forms() {
    let home = Home::on(&demo(ORDERS).await);
    let id = order("foreign-streams");
    let json = home.json(&["order", "timeline", &id], 0);
    let steps = json.as_array().unwrap();
    let streams: BTreeSet<_> = steps.iter().map(|step| step["stream"].to_string()).collect();
    assert!(steps.len() > 1 && streams.len() == steps.len(), "{json}");
    assert!(!streams.contains(&format!("\"{id}\"")));
    let versions: Vec<_> = steps.iter().map(|step| step["version"].as_u64().unwrap()).collect();
    assert_eq!(versions, (1..=steps.len() as u64).collect::<Vec<_>>());
    assert!(steps.is_sorted_by_key(|step| step["seq"].as_u64().unwrap()));
    assert_eq!(home.csv(&["order", "timeline", &id], 0).len(), steps.len());
    let table = home.run(&["order", "timeline", &id]);
    assert_eq!(table.out.lines().count(), steps.len() + 1);
    // What no fold understands is there, and said.
    let unknown = home.json(&["order", "timeline", &order("unreadable-total")], 0);
    assert!(unknown.as_array().unwrap().iter().any(|step| step["uncertain"].is_string()));
    let long = home.json(&["order", "timeline", &order("long-stream")], 0);
    assert_eq!(long.as_array().unwrap().len(), 500);
}

#[tokio::test]
async fn a_chain_tells_how_every_hop_is_known() {
    let home = Home::on(&demo(ORDERS).await);
    let id = order("half-delivered");
    let json = home.json(&["order", "chain", &id], 0);
    let hops = json.as_array().unwrap();
    let words: BTreeSet<_> = hops.iter().map(|hop| hop["hop"].as_str().unwrap()).collect();
    assert!(
        words.is_subset(&BTreeSet::from(["proven", "inferred", "absent", "unknown"])),
        "{json}"
    );
    let told = |kind: &str| hops.iter().filter(|hop| hop["kind"] == kind).collect::<Vec<_>>();
    let events = home.json(&["order", "timeline", &id], 0);
    assert_eq!(told("event").len(), events.as_array().unwrap().len());
    assert!(told("broker").iter().any(|hop| hop["state"].as_str().unwrap().starts_with("pending")));
    assert!(hops.iter().all(|hop| !hop["why"].as_str().unwrap().is_empty()));
    assert_eq!(home.csv(&["order", "chain", &id], 0).len(), hops.len());
    assert_eq!(home.run(&["order", "chain", &id]).out.lines().count(), hops.len() + 1);
    home.refused(&["order", "chain", "ffffffffffff"], 1, &["no order is"]);
    home.refused(&["order", "chain", "zz"], 2, &["zz"]);
}

#[tokio::test]
async fn events_are_shown_as_they_are_stored() {
    let home = Home::on(&demo(ORDERS).await);
    let id = order("unreadable-total");
    let json = home.json(&["order", "events", &id], 0);
    let events = json.as_array().unwrap();
    assert!(events.len() > 1 && events.is_sorted_by_key(|event| event["seq_id"].as_u64().unwrap()));
    assert!(events.iter().all(|event| event["data"].is_object() && event["type"].is_string()));
    // The body stays what it is: an amount as text is text. Who ordered is covered.
    assert!(json.to_string().contains("\"TotalPrice\":\""), "{json}");
    assert_eq!(home.csv(&["order", "events", &id], 0).len(), events.len());
    let table = home.run(&["order", "events", &id]);
    assert_eq!((table.code, table.out.lines().count()), (0, events.len() + 1));
}

#[tokio::test]
async fn messages_are_listed_with_their_delivery() {
    let home = Home::on(&demo(ORDERS).await);
    let id = order("stalled-head");
    let json = home.json(&["order", "messages", &id], 0);
    let messages = json.as_array().unwrap();
    assert!(messages.iter().any(|message| message["delivery"] == "pending"), "{json}");
    assert_eq!(home.csv(&["order", "messages", &id], 0).len(), messages.len());
    assert_eq!(home.run(&["order", "messages", &id]).out.lines().count(), messages.len() + 1);
}

#[tokio::test]
async fn a_diff_names_what_changed() {
    let home = Home::on(&demo(ORDERS).await);
    let id = order("cancelled-after-completion");
    let json = home.json(&["order", "diff", &id, "2", "3"], 0);
    let status = json.as_array().unwrap().iter().find(|row| row["field"] == "status").unwrap();
    assert_eq!(
        [&status["a"], &status["b"], &status["kind"]],
        ["Completed", "Cancelled", "changed"]
    );
    assert_eq!(
        home.csv(&["order", "diff", &id, "2", "3"], 0).len(),
        json.as_array().unwrap().len()
    );
    let all = home.run(&["order", "diff", &id, "0", "3"]);
    assert!(all.out.contains("added") && !all.out.contains("changed"), "{}", all.out);
    assert_eq!(home.json(&["order", "diff", &id, "2", "2"], 1), Value::Array(vec![]));
    home.refused(&["order", "diff", &id, "1", "9"], 2, &["0 (before the first event) to 3"]);
    home.refused(&["order", "diff", &id, "1"], 2, &["B"]);
}

#[tokio::test]
async fn an_ambiguous_tail_lists_its_orders() {
    let options = demo(ORDERS).await;
    let tail: String = one(
        &options,
        "SELECT right(id::text, 4) FROM orders GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT 1",
    )
    .await;
    let told = format!("{tail}\n");
    Home::on(&options).refused(&["order", "show", &tail], 1, &["ends several orders", &told]);
}

/// Everything a person or a program may be shown, in every form.
fn all_forms(home: &Home, id: &str) -> Vec<Done> {
    let mut all = vec![];
    for verb in [
        &["orders", "search", id][..],
        &["order", "show", id],
        &["order", "show", id, "--version", "1"],
        &["order", "timeline", id],
        &["order", "diff", id, "0", "1"],
    ] {
        for form in ["table", "json", "csv"] {
            all.push(home.run(&[verb, &["-o", form]].concat()));
        }
    }
    all
}

#[tokio::test]
async fn hostile_text_is_harmless_in_all_forms() {
    let options = demo(ORDERS).await;
    let id = order("hostile-note");
    // The note is covered; what is not covered may be hostile as well.
    let hostile = "E'=cmd|x\\x1b[2J\\u009b31m\\u202egnp.exe\\u200b\\r\\n@SUM(A1)'";
    let change = format!(
        "UPDATE mt_events SET type = {hostile}, mt_dotnet_type = {hostile}, correlation_id = {hostile}, causation_id = {hostile}
         WHERE stream_id = '{id}' AND version > 1"
    );
    sql(&options, &change).await;
    let home = Home::on(&options);
    for done in all_forms(&home, &id) {
        assert!(done.code <= 1, "{done:?}");
        for text in [&done.out, &done.err] {
            let odd: Vec<_> = text.chars().filter(|c| *c != '\n' && !is_plain(*c)).collect();
            assert!(odd.is_empty(), "{odd:?} in {text}");
            assert!(!text.contains("SYSTEM OK") && !text.contains("HYPERLINK"), "a note: {text}");
        }
    }
    // Nothing is lost for programs, and nothing runs in a spreadsheet.
    let json = home.json(&["order", "timeline", &id], 0);
    let last = json.as_array().unwrap().last().unwrap();
    let raw = "=cmd|x\u{1b}[2J\u{9b}31m\u{202e}gnp.exe\u{200b}\r\n@SUM(A1)";
    // What should be an id and is none is covered.
    assert_eq!(
        (last["type"].as_str(), last["correlation"].as_str()),
        (Some(raw), Some("********"))
    );
    let csv = home.csv(&["order", "timeline", &id], 0);
    assert!(csv.last().unwrap()[3].starts_with("'=cmd"), "{csv:?}");
}

#[tokio::test]
async fn people_read_their_zone_and_programs_utc() {
    let home = Home::on(&demo(ORDERS).await);
    let id = order("camel-case");
    let table = |zone: &str| home.run(&["--zone", zone, "order", "timeline", &id]).out;
    assert!(table("Asia/Tokyo").contains("+09:00"), "{}", table("Asia/Tokyo"));
    assert!(table("UTC").lines().nth(1).unwrap().contains("Z  OrderPlaced"), "{}", table("UTC"));
    assert!(table("-05:00").contains("-05:00"), "{}", table("-05:00"));
    let json = home.json(&["--zone", "Asia/Tokyo", "order", "timeline", &id], 0);
    assert!(json[0]["at"].as_str().unwrap().ends_with('Z'));
    home.refused(&["--zone", "Mars", "orders", "search"], 2, &["Mars", "Asia/Tokyo"]);
    // Clock times of a query are meant in the zone.
    let placed = json[0]["at"].as_str().unwrap();
    let utc = chrono::DateTime::parse_from_rfc3339(placed).unwrap();
    let tokyo = utc.with_timezone(&chrono::FixedOffset::east_opt(9 * 3600).unwrap());
    let day = format!("placed:{}", tokyo.format("%F"));
    let found =
        home.json(&["--zone", "Asia/Tokyo", "orders", "search", &day, &format!("id:{id}")], 0);
    assert_eq!(found[0]["id"], id);
}

#[tokio::test]
async fn a_password_in_the_arguments_is_refused_and_not_repeated() {
    let home = Home::new();
    for given in ["postgres://mai:s3cret@localhost/x", "postgres:///x?user=mai&password=s3cret"] {
        let done = home.run(&["--database-url", given, "orders", "search"]);
        assert_eq!(done.code, 2);
        assert!(done.err.contains("PGPASSWORD") && !done.err.contains("s3cret"), "{}", done.err);
    }
    home.refused(&["--database-url", "nonsense", "orders", "search"], 2, &["postgres://USER@HOST"]);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_code_3() {
    let at = "postgres://nobody@localhost:5432/orders?host=/nonexistent/socket";
    let home = Home { url: Some(at.into()), ..Home::new() };
    for verb in
        [&["orders", "search"][..], &["order", "show", "8c41abcd"], &MIGRATE, &["demo", "load"]]
    {
        home.refused(verb, 3, &["/nonexistent/socket"]);
    }
    // The arguments win over the environment.
    let home = Home::on(&managed().await);
    let at = "postgres://nobody@localhost:1/orders";
    home.refused(&["--database-url", at, "orders", "search"], 3, &["localhost:1"]);
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_code_2() {
    let home = Home::on(&managed().await);
    let file = |text: &str| {
        let path = home.dir.path().join("some.toml");
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let search = |path: &str, told: &[&str]| {
        home.refused(&["--config", path, "orders", "search"], 2, told);
    };
    search(&file("zone = \"UTC\"\nzoen = \"UTC\"\n"), &["line 2", "zoen", "some.toml"]);
    search(&file("zone = \"Mars\"\n"), &["Mars"]);
    search(&file("interval = \"often\"\n"), &["line 1", "interval"]);
    search("/nonexistent/config.toml", &["/nonexistent/config.toml", "--config"]);
    // A directory where the file should be cannot be read, by root neither.
    let usual = home.dir.path().join("config/orderscope/config.toml");
    std::fs::create_dir_all(&usual).unwrap();
    home.refused(&["orders", "search"], 2, &["cannot read", "config.toml"]);
    home.refused(&["--context", "prod", "orders", "search"], 2, &["cannot read"]);
    let good = file("[contexts.prod]\nproduction = true\n");
    home.refused(
        &["--config", &good, "--context", "test", "orders", "search"],
        2,
        &["prod, local"],
    );
    let log = ["--config", &good, "--log", "/nonexistent/log", "orders", "search"];
    home.refused(&log, 2, &["/nonexistent/log"]);
}

#[tokio::test]
async fn a_service_s_database_is_read_and_never_migrated_or_filled() {
    for schema in [Schema::Marten9, Schema::Document] {
        let options = fixture::own(pg18(), schema, "5-gap-and-failure").await;
        let home = Home::on(&options);
        let orders: i64 = one(&options, "SELECT count(*) FROM orders").await;
        let found = home.json(&["orders", "search", "--limit", "10000"], 0);
        assert_eq!(i64::try_from(found.as_array().unwrap().len()), Ok(orders));
        home.refused(&MIGRATE, 4, &["belongs to a running service"]);
        home.refused(&["demo", "load"], 4, &["belongs to a running service"]);
        home.refused(&["demo", "load", "--replace"], 4, &["belongs to a running service"]);
        let ours: bool = one(&options, "SELECT to_regnamespace('orderscope') IS NOT NULL").await;
        assert!(!ours, "something was made in it");
    }
}

#[tokio::test]
async fn migrate_makes_an_empty_database_ready() {
    for server in [pg18(), pg15()] {
        let home = Home::on(&server.empty().await);
        home.refused(&["orders", "search"], 4, &["not a database of the Ordering Service"]);
        home.refused(&["migrate", "--yes"], 2, &["--reason is needed"]);
        let asked = home.run(&["migrate", "--reason", "new shop"]);
        assert!(asked.code == 4 && asked.err.contains("PLAN  bring the schema"), "{asked:?}");
        home.refused(&["orders", "search"], 4, &["not a database of the Ordering Service"]);
        let done = home.run(&MIGRATE);
        assert!(done.code == 0 && done.out.contains("document"), "{done:?}");
        assert_eq!(home.run(&MIGRATE).out, "the schema is up to date\n");
        let list = home.json(&["audit", "list", "--reveal", "the test"], 0);
        assert_eq!(
            list.as_array().unwrap().len(),
            1,
            "what made the log is its first entry: {list}"
        );
        assert_eq!(
            (&list[0]["intent"], &list[0]["reason"]),
            (&"Migrate".into(), &"new shop".into())
        );
        assert_eq!(home.json(&["orders", "search"], 1), Value::Array(vec![]));
        home.refused(&["demo", "troubles"], 1, &["demo load"]);
    }
}

#[tokio::test]
async fn demo_data_is_loaded_once_and_lists_its_troubles() {
    let home = Home::on(&managed().await);
    home.refused(&["demo", "load", "--orders", "50"], 2, &["--orders"]);
    let load =
        ["demo", "load", "--orders", "200", "--years", "1", "--until", "2026-11-22", "--yes"];
    let done = home.run(&load);
    assert!(done.code == 0 && done.out.starts_with("200 orders, "), "{done:?}");
    home.refused(&load, 4, &["--replace"]);
    assert_eq!(home.run(&[&load[..], &["--replace", "--seed", "2"]].concat()).code, 0);
    let listed = home.json(&["demo", "troubles"], 0);
    let listed = listed.as_array().unwrap();
    let until = chrono::NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
    let options = orderscope::demo::Options { orders: 200, seed: 2, years: 1, until };
    assert_eq!(listed.len(), troubles(&options).unwrap().len());
    // Every one that sits on an order is found by what the list says to look for.
    for trouble in listed.iter().filter(|trouble| trouble["order"].is_string()) {
        let look = trouble["look"].as_str().unwrap();
        let found = home.json(&["orders", "search", look], 0);
        assert_eq!(found[0]["id"], trouble["order"], "{trouble}");
    }
    let table = home.run(&["demo", "troubles"]).out;
    assert!(!table.contains('…'), "a sentence is cut: {table}");
}

#[tokio::test]
async fn what_may_not_be_read_makes_the_answer_partial_or_refused() {
    let options = demo(ORDERS).await;
    let role = format!("reader_{}", options.get_database().unwrap());
    sql(
        &options,
        &format!("CREATE ROLE {role} LOGIN; GRANT SELECT ON orders, order_items, buyers, mt_events TO {role}"),
    )
    .await;
    let reader =
        Home { url: Some(url(&options).replace("postgres@", &format!("{role}@"))), ..Home::new() };
    let id = order("camel-case");
    let done = reader.run(&["order", "show", &id, "-o", "json"]);
    assert_eq!(done.code, 5, "{done:?}");
    assert!(done.err.contains("no right to read outbox_message"), "{}", done.err);
    let shown = parsed(&done.out);
    assert_eq!(shown["not_looked_at"][0]["what"], "outbox_message");
    assert_eq!(shown["state"]["Status"], "Completed");
    sql(&options, &format!("REVOKE SELECT ON orders FROM {role}")).await;
    reader.refused(&["orders", "search"], 4, &["orders"]);
}

#[tokio::test]
async fn the_private_database_is_started_shared_stopped_and_removed() {
    let home = Home::new();
    let run = |arguments: &[&str], code: i32| {
        let done = home.run(arguments);
        assert_eq!(done.code, code, "{arguments:?}: {done:?}");
        done
    };
    assert_eq!(home.json(&["db", "status"], 1)[0]["state"], "absent");
    assert_eq!(run(&["db", "stop"], 0).out, "it was not running\n");
    let started = run(&["db", "start"], 0).out;
    let status = home.json(&["db", "status"], 0);
    assert_eq!((&status[0]["state"], &status[0]["major"]), (&"running".into(), &18.into()));
    let url = run(&["db", "url"], 0).out;
    assert!(started.ends_with(&url), "{started}");
    assert_eq!(status[0]["url"], url.trim());
    let mut conn = PgConnection::connect(url.trim()).await.unwrap();
    let name: String =
        sqlx::query_scalar("SELECT current_database()::text").fetch_one(&mut conn).await.unwrap();
    assert_eq!(name, "orderscope");
    conn.close().await.unwrap();

    assert!(run(&MIGRATE, 0).out.contains("document"));
    assert_eq!(home.json(&["orders", "search"], 1), Value::Array(vec![]));
    home.refused(&["db", "reset"], 4, &["--yes"]);

    // A console uses it.
    let config = Config {
        home: home.dir.path().join("private"),
        cache: home.dir.path().join("cache"),
        runtime: home.dir.path().to_path_buf(),
        binaries: Some(binaries(18)),
        installed: vec![],
        npm: "/nonexistent/npm".into(),
    };
    let lease = embedded::join(&config, &|_| ()).await.unwrap();
    home.refused(&["db", "stop"], 4, &["--force"]);
    home.refused(&["db", "reset", "--yes"], 4, &["in use"]);
    lease.leave().await.unwrap();

    assert_eq!(run(&["db", "stop"], 0).out, "stopped\n");
    assert_eq!(home.json(&["db", "status"], 1)[0]["state"], "stopped");
    let removed = run(&["db", "reset", "--yes"], 0).out;
    assert!(removed.starts_with("removed\nrecorded in "), "{removed}");
    assert_eq!(home.json(&["db", "status"], 1)[0]["state"], "absent");
}

#[test]
fn completions_and_man_pages_render() {
    let home = Home::new();
    for (shell, sign) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef orderscope"),
        ("fish", "complete -c orderscope"),
    ] {
        let done = home.run(&["completions", shell]);
        assert_eq!((done.code, done.err.as_str()), (0, ""));
        for word in [sign, "timeline", "troubles"] {
            assert!(done.out.contains(word), "{shell}: no {word}");
        }
    }
    let page = home.run(&["man"]);
    assert!(
        page.code == 0 && page.out.contains(".TH orderscope 1") && page.out.contains("Exit codes")
    );
    let page = home.run(&["man", "order", "show"]);
    assert!(page.code == 0 && page.out.contains("\\-\\-version"), "{}", page.out);
    home.refused(&["man", "dance"], 2, &["dance"]);
    home.refused(&["completions", "tcsh"], 2, &["tcsh"]);
    for help in [&["--help"][..], &["order", "show", "--help"], &["--version"]] {
        let done = home.run(help);
        assert!(done.code == 0 && done.out.contains("orderscope"), "{done:?}");
    }
}

#[tokio::test]
async fn a_closed_pipe_is_no_error() {
    let home = Home::on(&demo(ORDERS).await);
    let id = order("long-stream");
    for arguments in [
        &["orders", "search", "--limit", "2000"][..],
        &["orders", "search", "--limit", "2000", "-o", "json"],
        &["orders", "search", "--limit", "2000", "-o", "csv"],
        &["order", "timeline", &id],
        &["order", "show", &id],
        &["demo", "troubles"],
        &["completions", "bash"],
        &["man"],
    ] {
        let mut child = home
            .command()
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The reader leaves before the first line.
        drop(child.stdout.take());
        let done = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&done.stderr);
        assert_eq!((done.status.code(), err.as_ref()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn links_and_the_console_need_a_terminal_and_sense() {
    let home = Home { url: Some("postgres://nobody@localhost:1/none".into()), ..Home::new() };
    home.refused(&[], 2, &["needs a terminal", "orderscope orders search"]);
    home.refused(&["open", "http://example.invalid"], 2, &["ops://CONTEXT/order"]);
    home.refused(&["--theme", "pink"], 2, &["ansi, dusk, paper, mono"]);
}

#[tokio::test]
async fn messages_are_judged_and_an_alert_ends_with_1() {
    let home = Home::on(&fixture::stage(pg18(), Schema::Marten9, "6-bad-destination").await);
    let status = home.json(&["messages", "status"], 1);
    assert_eq!((&status["alert"], &status["pending"]), (&Value::Bool(true), &Value::from(208)));
    // What the real service left: nobody has tried since.
    assert_eq!(status["findings"][0]["rule"], "worker-idle");
    assert_eq!(status["findings"][1]["rule"], "poison-head");
    let table = home.run(&["messages", "status"]);
    assert!(table.code == 1 && table.out.contains("poison-head: outbox"), "{table:?}");
    let why = home.json(&["messages", "why"], 1);
    let poison = &why["findings"][1];
    assert_eq!(poison["rule"], "poison-head");
    assert_eq!(poison["about"], serde_json::json!({ "kind": "message", "sequence": 89 }));
    assert!(poison["evidence"].to_string().contains("without end"), "{why}");
    assert_eq!(why["facts"]["pending"], 208);
    assert_eq!(why["facts"]["head"]["next"]["seq"], 89);
    let alone = home.json(&["messages", "why", "89"], 1);
    assert_eq!(alone["message"]["seq"], "89");
    assert!(alone["verdict"].as_str().unwrap().contains("cannot leave as it is"), "{alone}");
    let one = home.run(&["messages", "why", "89"]);
    assert!(one.code == 1 && one.out.contains("it cannot leave as it is"), "{one:?}");
    let behind = home.run(&["messages", "why", "90"]);
    assert!(behind.out.contains("it waits: no delivery on any"), "{behind:?}");
    let rows = home.csv(&["messages", "list", "--limit", "5"], 0);
    assert_eq!(rows.iter().map(|row| &row[0]).collect::<Vec<_>>(), ["89", "90", "91", "92", "93"]);
    messages_are_chosen_by_group(&home, &status);
    let head = &status["heads"][0];
    assert_eq!(
        (&head["next"]["seq"], &head["held_by"]),
        (&Value::from(89), &Value::from("nobody"))
    );
    assert!(head["next"]["poison"][0].as_str().unwrap().contains("cannot be used"), "{head}");
    assert_eq!(status["drain"]["state"], "never");
    let outbox = status["by_outbox"][0]["key"].as_str().unwrap();
    for told in ["head of the line", "seq 89, User", "its holder", "\ndrain  ", outbox] {
        assert!(table.out.contains(told), "{told}: {table:?}");
    }
    let bad = home.json(&["messages", "list", "--view", "undeliverable"], 0);
    assert_eq!((bad.as_array().unwrap().len(), &bad[0]["seq"]), (1, &Value::from(89)), "{bad}");
    let shown = home.json(&["messages", "show", "89"], 0);
    assert_eq!(shown["body"]["message"]["email"], "********");
    assert_eq!(shown["body"]["message"]["totalMoney"], "287.97");
    let gone = home.run(&["messages", "show", "1"]);
    assert!(gone.code == 1 && gone.err.contains("nobody can say which"), "{gone:?}");
    home.refused(&["messages", "show", "soon"], 2, &["neither a sequence number"]);
    assert_eq!(home.json(&["messages", "list", "--view", "orphan"], 1), serde_json::json!([]));
}

/// What a group counts is what is listed of it, by the key or the end of it.
fn messages_are_chosen_by_group(home: &Home, status: &Value) {
    let count = |args: &[&str]| {
        let all = [&["messages", "list", "--limit", "1000"], args].concat();
        home.json(&all, 0).as_array().unwrap().len()
    };
    for (groups, option) in
        [("by_type", "--type"), ("by_destination", "--to"), ("by_outbox", "--outbox")]
    {
        for group in status[groups].as_array().unwrap() {
            let key = group["key"].as_str().unwrap();
            assert_eq!(Value::from(count(&[option, key])), group["messages"], "{option} {key}");
            if option != "--outbox" {
                let end = key.split('?').next().unwrap().rsplit([':', '/']).next().unwrap();
                assert!(count(&[option, end]) >= count(&[option, key]), "{option} {end}");
            }
        }
    }
    let kind = status["by_type"][0]["key"].as_str().unwrap();
    let outbox = status["by_outbox"][0]["key"].as_str().unwrap();
    assert_eq!(count(&["--type", kind, "--outbox", outbox]), count(&["--outbox", outbox]));
    assert_eq!(home.json(&["messages", "list", "--type", "Event"], 1), serde_json::json!([]));
    assert_eq!(home.json(&["messages", "list", "--to", "none"], 1), serde_json::json!([]));
    home.refused(
        &["messages", "list", "--view", "kept", "--to", "none"],
        2,
        &["not copies and holds"],
    );
}

#[tokio::test]
async fn the_inbox_is_told_with_configured_names() {
    let options = fixture::stage(pg18(), Schema::Marten9, "2-delivered").await;
    let mut conn = PgConnection::connect_with(&options).await.unwrap();
    // What the service wrote is older than the day that is added up.
    conn.execute("UPDATE inbox_state SET received = now() - interval '90 min'").await.unwrap();
    let home = Home::on(&options);
    let names = "[messages]\nconsumers = [\"DeleteBasketCompleteCommandHandler:\
                 BookWorm.Contracts.DeleteBasketCompleteCommand:basket-checkout-complete\"]\n";
    let config = home.dir.path().join("names.toml");
    std::fs::write(&config, names).unwrap();
    let config = config.to_str().unwrap();
    let rows = home.json(&["--config", config, "inbox", "status"], 0);
    let named = rows
        .as_array()
        .unwrap()
        .iter()
        .any(|row| row["consumer"] == "DeleteBasketCompleteCommandHandler");
    assert!(named, "{rows}");
    let hours = home.json(&["--config", config, "inbox", "hours"], 0);
    let received: i64 =
        hours.as_array().unwrap().iter().map(|hour| hour["received"].as_i64().unwrap()).sum();
    assert_eq!(received, 33, "{hours}");
    let named = &hours[0]["consumer"];
    assert!(rows.as_array().unwrap().iter().any(|row| &row["consumer"] == named), "{hours}");
    let failing = home.json(&["inbox", "list", "--view", "failing"], 0);
    assert_eq!(failing.as_array().unwrap().len(), 3);
    std::fs::write(home.dir.path().join("bad.toml"), "[messages]\nconsumers = [\"x\"]\n").unwrap();
    let bad = home.dir.path().join("bad.toml");
    home.refused(
        &["--config", bad.to_str().unwrap(), "inbox", "list"],
        2,
        &["HANDLER:MESSAGE:QUEUE"],
    );
}

#[tokio::test]
async fn nothing_pending_is_no_alert() {
    let home = Home::on(&managed().await);
    let status = home.json(&["messages", "status"], 0);
    assert_eq!((&status["alert"], &status["pending"]), (&Value::Bool(false), &Value::from(0)));
    let done = home.run(&["messages", "why"]);
    assert!(done.code == 0 && done.err.contains("no rule fired"), "{done:?}");
    assert_eq!(home.run(&["inbox", "status"]).code, 0);
    // Nobody sampled yet.
    assert_eq!(home.json(&["messages", "history", "--days", "7"], 1), serde_json::json!([]));
}
