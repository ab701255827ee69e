//! Orders with more events than are read at once: the state is that of the newest event.

use sqlx::postgres::PgConnectOptions;

use super::sql;
use crate::{
    support::{
        fixture::{self, Schema},
        postgres::pg18,
    },
    verbs::Home,
};

/// Repeats the order's first event until it has so many, then completes it as another order was.
fn lengthen(id: &str, events: i64, own: bool) -> String {
    let stream = if own { format!("'{id}'::uuid") } else { "gen_random_uuid()".to_owned() };
    let streams = if own {
        format!("UPDATE mt_streams SET version = {events} WHERE id = '{id}'")
    } else {
        "SELECT 1".to_owned()
    };
    format!(
        "ALTER TABLE mt_events DROP CONSTRAINT IF EXISTS fkey_mt_events_stream_id_is_archived;
         ALTER TABLE mt_events DROP CONSTRAINT IF EXISTS fkey_mt_events_stream_id;
         DELETE FROM mt_events WHERE stream_id = '{id}' AND version > 1;
         INSERT INTO mt_events (seq_id, id, stream_id, version, data, type, timestamp, tenant_id, mt_dotnet_type,
                                is_archived)
             SELECT nextval('mt_events_sequence'), gen_random_uuid(), {stream}, CASE WHEN {own} THEN n ELSE 1 END,
                 CASE WHEN n = {events}
                     THEN jsonb_set(data, '{{Order,Status}}', '\"Completed\"') ELSE data END,
                 CASE WHEN n = {events} THEN 'order_completed_event' ELSE type END,
                 timestamp, tenant_id,
                 CASE WHEN n = {events} THEN replace(mt_dotnet_type, 'Placed', 'Completed') ELSE mt_dotnet_type END,
                 false
             FROM mt_events, generate_series(2, {events}) n WHERE stream_id = '{id}' AND version = 1
             ORDER BY n;
         {streams}"
    )
}

async fn store(schema: Schema) -> PgConnectOptions {
    let options = fixture::own(pg18(), schema, "1-backlog").await;
    sql(&options, "CREATE SEQUENCE IF NOT EXISTS mt_events_sequence START 1000").await;
    options
}

/// What `order show` says in a line.
fn shown(home: &Home, id: &str, more: &[&str], code: i32, field: &str) -> String {
    let done = home.run(&[&["order", "show", id], more].concat());
    assert_eq!(done.code, code, "{done:?}");
    let line = done.out.lines().find_map(|line| line.strip_prefix(field));
    line.unwrap_or_else(|| panic!("{done:?}")).trim().to_owned()
}

#[tokio::test]
async fn the_state_of_a_long_history_is_that_of_its_newest_event() {
    for (schema, own) in
        [(Schema::Document, true), (Schema::Document, false), (Schema::Marten9, true)]
    {
        let options = store(schema).await;
        let home = Home::on(&options);
        let id =
            home.json(&["orders", "search", "status:new"], 0)[0]["id"].as_str().unwrap().to_owned();
        sql(&options, &lengthen(&id, 7_000, own)).await;
        assert_eq!(shown(&home, &id, &[], 5, "version"), "7000 of 7000", "{schema:?} {own}");
        assert!(shown(&home, &id, &[], 5, "events say").starts_with("Completed"));
        let told = home.run(&["order", "timeline", &id]);
        assert!(told.err.contains("the newest 5,000 of 7,000 were read"), "{}", told.err);
        assert_eq!(shown(&home, &id, &["--version", "6999"], 5, "status"), "New");
        let all = ["--version", "3", "--events", "7000"];
        assert_eq!(shown(&home, &id, &all, 0, "version"), "3 of 7000");
        home.refused(
            &["order", "show", &id, "--version", "3"],
            2,
            &["versions go from 2001 to 7000; --events reads older ones"],
        );
        let all = home.run(&["order", "timeline", &id, "--events", "10000", "--output", "csv"]);
        assert_eq!(all.code, 0, "{}", all.err);
        let versions: Vec<_> =
            all.out.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
        let expected: Vec<_> = (1..=7_000).map(|version: i32| version.to_string()).collect();
        assert_eq!(versions, expected);
    }
}

#[tokio::test]
async fn a_command_on_a_long_history_follows_its_newest_event() {
    let options = store(Schema::Document).await;
    let home = Home::on(&options);
    let attach = ["attach", "--publisher", "service", "--yes", "--reason", "INC-7"];
    assert_eq!(home.run(&attach).code, 0);
    let id =
        home.json(&["orders", "search", "status:new"], 0)[0]["id"].as_str().unwrap().to_owned();
    sql(&options, &lengthen(&id, 7_000, true)).await;
    // The newest event says New again, as the row does.
    let open = format!(
        "UPDATE mt_events SET type = 'order_placed_event', data = jsonb_set(data, '{{Order,Status}}', '\"New\"'),
             mt_dotnet_type = replace(mt_dotnet_type, 'Completed', 'Placed')
         WHERE stream_id = '{id}' AND version = 7000"
    );
    sql(&options, &open).await;
    home.json(&["order", "cancel", &id, "--reason", "INC-7", "--yes"], 0);
    assert_eq!(shown(&home, &id, &[], 5, "version"), "7001 of 7001");
    assert!(shown(&home, &id, &[], 5, "events say").starts_with("Cancelled"));
}
