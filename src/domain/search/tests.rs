//! Queries of every form, refusals with their place, and any text at all.

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::super::{Span, Trait, describe};
use super::*;
use crate::domain::{order::Status, order_ref::IdMatch};

const ID: &str = "0199a3f2-7c1e-7b40-9d2a-5e0c4b1f8c41";

fn clock() -> Clock {
    Clock { now: "2026-11-22T14:02:11Z".parse().unwrap(), zone: "Asia/Tokyo".parse().unwrap() }
}

fn all(text: &str) -> Vec<Term> {
    parse(text, &clock()).unwrap_or_else(|error| panic!("{text}: {error}")).terms
}

fn one(text: &str) -> Test {
    let mut terms = all(text);
    assert_eq!(terms.len(), 1, "{text}");
    terms.remove(0).test
}

fn error(text: &str) -> SearchError {
    match parse(text, &clock()) {
        Err(error) => error,
        Ok(query) => panic!("{text} was read as {query:?}"),
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn tail(text: &str) -> IdMatch {
    IdMatch::Tail(text.to_owned())
}

#[test]
fn bare_words_are_ids_tails_or_text() {
    let id: Uuid = ID.parse().unwrap();
    assert_eq!(one(ID), Test::AnyId(id));
    assert_eq!(one(&ID.replace('-', "")), Test::AnyId(id));
    assert_eq!(one(&format!("urn:uuid:{ID}")), Test::AnyId(id));
    assert_eq!(one("8C41"), Test::AnyTail("8c41".to_owned()));
    assert_eq!(one("…8c41"), Test::AnyTail("8c41".to_owned()));
    assert_eq!(one("...8c41"), Test::AnyTail("8c41".to_owned()));
    assert_eq!(one("\"8c41\""), Test::Text("8c41".to_owned()));
    assert_eq!(one("c41"), Test::Text("c41".to_owned()));
    assert_eq!(one("tanaka"), Test::Text("tanaka".to_owned()));
    assert_eq!(one("\"le thi\""), Test::Text("le thi".to_owned()));
    assert_eq!(one("2026-11-22"), Test::Text("2026-11-22".to_owned()));
    assert_eq!(one("16:30"), Test::Text("16:30".to_owned()));
    assert_eq!(all("  "), []);
}

#[test]
fn fields() {
    assert_eq!(one("id:8c41"), Test::Order(tail("8c41")));
    assert_eq!(one("order:…8c41"), Test::Order(tail("8c41")));
    assert_eq!(one("buyer:4e10"), Test::Buyer(tail("4e10")));
    assert_eq!(one("buyer:\"4e10\""), Test::BuyerName("4e10".to_owned()));
    assert_eq!(one("buyer:\"le t\""), Test::BuyerName("le t".to_owned()));
    assert_eq!(one("BOOK:91aa"), Test::Book(tail("91aa")));
    assert_eq!(one(&format!("corr:{ID}")), Test::Correlation(ID.replace('-', "")));
    assert_eq!(one("corr:D27F"), Test::Correlation("d27f".to_owned()));
    assert_eq!(one("corr:0HN7:0001"), Test::Correlation("0HN7:0001".to_owned()));
    assert_eq!(one("note:door"), Test::Note("door".to_owned()));
    assert_eq!(one("city:\"new york\""), Test::City("new york".to_owned()));
    assert_eq!(one("province:kyoto"), Test::Province("kyoto".to_owned()));
    assert_eq!(one("is:deleted"), Test::Has(Trait::Deleted));
    assert_eq!(one("has:undelivered"), Test::Has(Trait::Undelivered));
}

#[test]
fn statuses_by_name_and_number() {
    for (text, status) in [
        ("new", Status::New),
        ("0", Status::New),
        ("Cancelled", Status::Cancelled),
        ("canceled", Status::Cancelled),
        ("2", Status::Completed),
        ("7", Status::Other(7)),
    ] {
        assert_eq!(one(&format!("status:{text}")), Test::Status(status));
    }
}

#[test]
fn times_mean_all_of_what_they_name_in_the_zone() {
    let minutes = Span {
        from: Some(at("2026-11-22T07:30:00Z")),
        to: Some(at("2026-11-22T09:15:59.999999Z")),
    };
    assert_eq!(one("placed:16:30..18:15"), Test::Placed(minutes.clone()));
    assert_eq!(one("placed:2026-11-22T16:30..18:15"), Test::Placed(minutes));
    let day = Span {
        from: Some(at("2026-11-21T15:00:00Z")),
        to: Some(at("2026-11-22T14:59:59.999999Z")),
    };
    assert_eq!(one("placed:2026-11-22"), Test::Placed(day.clone()));
    assert_eq!(one("modified:today"), Test::Modified(day.clone()));
    assert_eq!(one("placed:>2026-11-22"), {
        Test::Placed(Span { from: Some(at("2026-11-22T15:00:00Z")), to: None })
    });
    assert_eq!(one("placed:<2026-11-22"), {
        Test::Placed(Span { from: None, to: Some(at("2026-11-21T14:59:59.999999Z")) })
    });
    assert_eq!(one("placed:>=2026-11-22"), Test::Placed(Span { from: day.from, to: None }));
    assert_eq!(one("placed:..2026-11-22"), Test::Placed(Span { from: None, to: day.to }));
    let since = Span { from: Some(at("2026-11-22T12:02:11Z")), to: None };
    assert_eq!(one("placed:2h"), Test::Placed(since.clone()));
    assert_eq!(one("placed:\"2h ago\""), Test::Placed(since));
}

fn berlin(text: &str) -> Query {
    let clock = Clock { zone: "Europe/Berlin".parse().unwrap(), ..clock() };
    parse(text, &clock).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn a_repeated_hour_is_searched_whole() {
    let span = |text: &str| match &berlin(text).terms[0].test {
        Test::Placed(span) => span.clone(),
        other => panic!("{other:?}"),
    };
    // 02:00 to 03:00 came twice: from 00:00 to 02:00 UTC.
    let whole = Span {
        from: Some(at("2026-10-25T00:00:00Z")),
        to: Some(at("2026-10-25T01:59:59.999999Z")),
    };
    assert_eq!(span("placed:\"2026-10-25 02:00..02:59\""), whole);
    let inner = span("placed:\"2026-10-25 02:30..02:40\"");
    assert_eq!(inner.from, Some(at("2026-10-25T00:30:00Z")));
    assert_eq!(inner.to, Some(at("2026-10-25T01:40:59.999999Z")));
    // Later than one of the two, and earlier than one of the two.
    assert_eq!(span("placed:>2026-10-25T02:30").from, Some(at("2026-10-25T00:31:00Z")));
    assert_eq!(span("placed:<2026-10-25T02:30").to, Some(at("2026-10-25T01:29:59.999999Z")));
    let query = berlin("placed:>2026-10-25T02:30");
    assert!(query.notes[0].contains("came twice"), "{:?}", query.notes);
    assert!(describe(&query, "Europe/Berlin".parse().unwrap()).contains("came twice"));
    assert!(berlin("placed:>2026-10-25T04:30").notes.is_empty());
}

#[test]
fn a_skipped_hour_is_told() {
    let query = berlin("placed:2026-03-29T02:10..02:40");
    assert!(query.notes[0].contains("set forward"), "{:?}", query.notes);
    let query = berlin("placed:2026-03-29T01:30..02:30");
    let Test::Placed(span) = &query.terms[0].test else { panic!() };
    assert_eq!(span.to, Some(at("2026-03-29T00:59:59.999999Z")));
    let clock = Clock { zone: "Europe/Berlin".parse().unwrap(), ..clock() };
    let error = parse("placed:2026-03-29T02:30", &clock).unwrap_err();
    assert!(error.what.contains("no clock showed"), "{error}");
}

#[test]
fn an_upper_end_includes_the_second_it_names() {
    let to = |text: &str| match one(text) {
        Test::Placed(span) => span.to,
        other => panic!("{other:?}"),
    };
    let second = Some(at("2026-11-22T07:30:05.999999Z"));
    for text in [
        "placed:..16:30:05",
        "placed:<=16:30:05",
        "placed:\"16:30..11-22 16:30:05\"",
        "placed:16:30:05",
    ] {
        assert_eq!(to(text), second, "{text}");
    }
    assert_eq!(to("placed:..16:30:05.25"), Some(at("2026-11-22T07:30:05.250Z")));
}

#[test]
fn what_pasting_adds_does_not_matter_and_is_told() {
    let typed = "\u{FEFF}–status:new note:“leave at the\u{A0}door” …8c\u{200B}41";
    let query = parse(typed, &clock()).unwrap();
    let plain = parse("-status:new note:\"leave at the door\" …8c41", &clock()).unwrap();
    let tests = |query: &Query| -> Vec<_> {
        query.terms.iter().map(|term| (term.test.clone(), term.negated)).collect()
    };
    assert_eq!(tests(&query), tests(&plain));
    assert_eq!(query.notes.len(), 2);
    assert!(plain.notes.is_empty());
    assert_eq!(&typed[query.terms[2].at.clone()], "…8c\u{200B}41");
    assert_eq!(one(&ID.replace('-', "\u{2011}")), Test::AnyId(ID.parse().unwrap()));
    let error = error("“a” status:\u{200B}nww");
    assert_eq!(&"“a” status:\u{200B}nww"[error.at], "nww");
}

#[test]
fn ages_look_back_from_now() {
    let older = Span { from: None, to: Some(at("2026-11-21T14:02:10.999999Z")) };
    assert_eq!(one("age:>24h"), Test::Placed(older));
    let between =
        Span { from: Some(at("2026-11-19T14:02:11Z")), to: Some(at("2026-11-22T12:02:11Z")) };
    assert_eq!(one("age:2h..3d"), Test::Placed(between));
    let two_hours = Span {
        from: Some(at("2026-11-22T11:02:11.000001Z")),
        to: Some(at("2026-11-22T12:02:11Z")),
    };
    assert_eq!(one("age:2h"), Test::Placed(two_hours));
    let younger = Span { from: Some(at("2026-11-22T12:02:11.000001Z")), to: None };
    assert_eq!(one("age:<2h"), Test::Placed(younger));
}

#[test]
fn numbers() {
    let ten: Decimal = "10.50".parse().unwrap();
    assert_eq!(one("total:10.50"), Test::Total(Span { from: Some(ten), to: Some(ten) }));
    assert_eq!(one("total:>=10.50"), Test::Total(Span { from: Some(ten), to: None }));
    assert_eq!(one("items:>2"), Test::Items(Span { from: Some(3), to: None }));
}

#[test]
fn terms_keep_their_sign_and_place() {
    let terms = all("tanaka -status:new AND !\"door\"");
    let signs: Vec<_> = terms.iter().map(|term| (term.negated, term.at.clone())).collect();
    assert_eq!(signs, [(false, 0..6), (true, 7..18), (true, 23..30)]);
}

#[test]
fn an_error_marks_the_place_and_says_what_to_write() {
    let unknown = error("tanaka statsu:new");
    assert_eq!(unknown.at, 7..13);
    assert_eq!(
        unknown.to_string(),
        "no field is called statsu: did you mean status:? To search for the text, quote it"
    );
    assert!(error("http://x").hint.unwrap().contains("quote it"));
    assert_eq!(error("status:open").at, 7..11);
    assert_eq!(error("status:deleted").hint.as_deref(), Some("write is:deleted"));
    assert_eq!(error("has:drfit").hint.as_deref(), Some("did you mean drift?"));
    assert_eq!(error("placed:2026-11-01..2026-02-30").at, 19..29);
    assert!(error("placed:18:00..16:00").what.contains("before it begins"));
    assert_eq!(error("id:c41").at, 3..6);
    assert!(error("…c41").what.contains("too short"));
    assert!(error("0199…8c41").what.contains("cut in the middle"));
    assert_eq!(error("total:").at, 0..5);
    assert!(error("a OR b").hint.unwrap().contains("search twice"));
    assert!(error("\"\"").what.contains("between the quotes"));
    assert_eq!(error(&"x ".repeat(33)).at, 64..66);
    assert!(error(&"x".repeat(5000)).what.contains("too long"));
}

#[test]
fn a_query_in_words() {
    let query = parse("status:new -has:note placed:16:30..18:15 total:>100 id:8c41", &clock());
    assert_eq!(
        describe(&query.unwrap(), clock().zone),
        "status new, not has note, placed 2026-11-22 16:30 to 2026-11-22 18:15, \
         total from 100 (not itself), order …8c41"
    );
    assert_eq!(describe(&Query::default(), clock().zone), "all orders");
}

/// Text that looks like queries, so that the property reaches every branch.
fn query_like() -> impl Strategy<Value = String> {
    let field = proptest::sample::select(vec![
        "id", "buyer", "book", "corr", "note", "city", "status", "placed", "modified", "age",
        "total", "items", "has", "is", "foo",
    ]);
    let value = prop_oneof![
        "[0-9a-f]{1,34}",
        "[<>=]{0,2}[0-9.:TZhdmo-]{0,18}",
        "[0-9]{1,4}(\\.\\.)?[0-9]{0,4}",
        "\"\\PC{0,6}\"?",
        "\\PC{0,8}",
        Just("new".to_owned()),
        Just("yesterday..now".to_owned()),
    ];
    let term = prop_oneof![
        (field, value.clone()).prop_map(|(field, value)| format!("{field}:{value}")),
        value
    ];
    let sign = proptest::sample::select(vec!["", "-", "!", " "]);
    proptest::collection::vec((sign, term), 0..5).prop_map(|terms| {
        terms.iter().map(|(sign, term)| [sign, term.as_str(), " "].concat()).collect()
    })
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_within_its_bounds(
        text in prop_oneof![query_like(), "\\PC{0,60}", any::<String>()]
    ) {
        match parse(&text, &clock()) {
            Ok(query) => {
                let mut last = 0;
                for term in &query.terms {
                    prop_assert!(text.get(term.at.clone()).is_some_and(|term| !term.is_empty()));
                    prop_assert!(term.at.start >= last);
                    last = term.at.end;
                }
                prop_assert!(!describe(&query, clock().zone).is_empty());
            }
            Err(error) => {
                prop_assert!(text.get(error.at.clone()).is_some(), "{:?}", error);
                prop_assert!(!error.at.is_empty() && !error.what.is_empty(), "{:?}", error);
            }
        }
    }
}
