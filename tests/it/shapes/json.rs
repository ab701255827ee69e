//! The shape of answers in JSON: every reading verb, its fields and their types, compared with docs/json.md.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    docs::{golden, table},
    support::{
        fixture::{self, Schema},
        postgres::pg18,
    },
    verbs::Home,
};

/// What is in these is the service's: any JSON.
const FOREIGN: [&str; 7] = ["state", "row", "data", "headers", "properties", "body", "before"];

/// Collects `rows[].id` with the types of its values.
fn collect(path: &str, value: &Value, out: &mut BTreeMap<String, BTreeSet<&'static str>>) {
    // A word, or an object that says in what: which of them depends on how long ago it was written.
    if path.ends_with("_agrees") {
        out.insert(path.to_owned(), BTreeSet::from(["text", "object"]));
        return;
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    if !path.is_empty() {
        out.entry(path.to_owned()).or_default().insert(kind);
    }
    if FOREIGN.iter().any(|name| path == *name || path.ends_with(&format!(".{name}"))) {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                collect(&path, field, out);
            }
        }
        Value::Array(items) => {
            for item in items.iter().filter(|item| item.is_object()) {
                for (name, field) in item.as_object().into_iter().flatten() {
                    collect(&format!("{path}[].{name}"), field, out);
                }
            }
        }
        _ => {}
    }
}

/// The section of a verb.
fn told(verb: &str, answer: &Value) -> String {
    let mut fields = BTreeMap::new();
    collect("", answer, &mut fields);
    fields.retain(|path, _| path != "version" && !path.starts_with("not_looked_at"));
    let kinds = |kinds: &BTreeSet<&str>| {
        let mut known: Vec<_> = kinds.iter().copied().filter(|kind| *kind != "null").collect();
        known.extend(kinds.get("null"));
        known.join(" or ")
    };
    let rows = fields.iter().map(|(path, of)| vec![format!("`{path}`"), kinds(of)]);
    format!("### `orderscope {verb}`\n\n{}\n", table(&["field", "type"], rows))
}

#[tokio::test]
async fn every_answer_has_the_documented_shape() {
    let options = fixture::own(pg18(), Schema::Marten9, "6-bad-destination").await;
    let home = Home::on(&options);
    let by = ["--operator", "mai", "--reason", "INC-7", "--yes"];
    let done = |verb: &[&str]| home.answer(&[verb, &by].concat(), 0);
    done(&["attach", "--publisher", "service"]);
    let id =
        home.json(&["orders", "search", "status:new"], 0)[0]["id"].as_str().unwrap().to_owned();
    let plan = home.answer(&["order", "cancel", &id, "--reason", "INC-7", "--dry-run"], 0);
    let cancelled = done(&["order", "cancel", &id]);
    let mut out = String::new();
    let reads: [(&str, &[&str]); 20] = [
        ("orders search QUERY --count", &["orders", "search", "status:cancelled", "--count"]),
        ("order show ID", &["order", "show", &id]),
        ("order timeline ID", &["order", "timeline", &id]),
        ("order events ID", &["order", "events", &id]),
        ("order chain ID", &["order", "chain", &id]),
        ("order messages ID", &["order", "messages", &id]),
        ("order diff ID A B", &["order", "diff", &id, "1", "2"]),
        ("messages status", &["messages", "status"]),
        ("messages why", &["messages", "why"]),
        ("messages why MESSAGE", &["messages", "why", "89"]),
        ("messages list", &["messages", "list"]),
        ("messages show MESSAGE", &["messages", "show", "89"]),
        ("messages list --view kept", &["messages", "list", "--view", "kept"]),
        ("messages history", &["messages", "history"]),
        ("inbox status", &["inbox", "status"]),
        ("inbox list", &["inbox", "list"]),
        ("inbox hours", &["inbox", "hours"]),
        ("audit list", &["audit", "list"]),
        ("audit verify", &["audit", "verify"]),
        ("op list --all", &["op", "list", "--all"]),
    ];
    for (verb, arguments) in reads {
        if verb == "messages list --view kept" {
            done(&["messages", "quarantine", "90"]);
        }
        let run = home.run(&[arguments, &["--output", "json"]].concat());
        assert!([0, 1, 5].contains(&run.code), "{verb}: {run:?}");
        out.push_str(&told(verb, &crate::verbs::parsed(&run.out)));
    }
    out.push_str(&told("order cancel ID --dry-run", &plan));
    out.push_str(&told("order cancel ID", &cancelled));
    golden("docs/json.md", "json", &out);
}
