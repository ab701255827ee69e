//! What is covered and what is not.

use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;

#[test]
fn names() {
    assert_eq!(mask_name("Le Thi"), "L*** T.");
    assert_eq!(mask_name("Nguyen Van An"), "N*** A.");
    assert_eq!(mask_name("Cher"), "C***");
    assert_eq!(mask_name(" "), MASK);
    assert_eq!(mask_name(""), "");
    assert_eq!(mask_name("\u{202E}evil \u{1b}x"), "\\*** ␛.");
}

#[test]
fn texts_show_neither_words_nor_length() {
    assert_eq!(mask("leave at the door"), mask("x"));
    assert_eq!(mask(""), "");
    assert_eq!(veil("a\u{1b}", true), "a␛");
    assert_eq!(veil("a\u{1b}", false), MASK);
}

#[test]
fn rows_and_bodies_inside_texts() {
    let mut row = json!({"address_city": "Hue", "body": "{\"FullName\":\"Le Thi\",\"n\":1}",
        "odd": "{not json", "headers": "[{\"Email\":\"a@b\"}]"});
    mask_json(&mut row);
    assert_eq!(
        row,
        json!({"address_city": MASK, "body": format!("{{\"FullName\":\"{MASK}\",\"n\":1}}"),
            "odd": MASK, "headers": format!("[{{\"Email\":\"{MASK}\"}}]")})
    );
}

#[test]
fn bodies() {
    let mut body = json!({"Order": {"Id": "1", "Note": "door", "Status": "New",
        "Buyer": {"Id": "2", "Name": "Le Thi", "Address": {"Street": "8 Book Lane", "City": null}}},
        "email": "a@b", "Address": [{"Line": "x"}],
        "items": [{"fullName": "x", "Quantity": 2}]});
    mask_json(&mut body);
    assert_eq!(
        body,
        json!({"Order": {"Id": "1", "Note": MASK, "Status": "New",
            "Buyer": {"Id": "2", "Name": MASK, "Address": {"Street": MASK, "City": null}}},
            "email": MASK, "Address": [{"Line": MASK}],
            "items": [{"fullName": MASK, "Quantity": 2}]})
    );
}

#[test]
fn quoted_texts_are_covered_ids_times_and_numbers_are_not() {
    let id = "019aab5c-2ba6-7b40-9d2a-5e0c4b1f8c41";
    let sql = format!(
        "UPDATE buyers SET name = 'O''Le', n = '7' WHERE id = '{id}' AND at = \
         '2026-11-22T09:12:04Z' AND data = '{{\"Note\":\"x\",\"Id\":\"{id}\"}}'"
    );
    assert_eq!(
        masked_sql(&sql),
        format!(
            "UPDATE buyers SET name = '{MASK}', n = '7' WHERE id = '{id}' AND at = \
             '2026-11-22T09:12:04Z' AND data = '{{\"Note\":\"{MASK}\",\"Id\":\"{id}\"}}'"
        )
    );
    assert_eq!(masked_sql("it's"), format!("it'{MASK}'"));
    assert_eq!(masked_sql("plain"), "plain");
}

/// A person's words, which must never be seen: every one has a mark.
fn personal() -> impl Strategy<Value = String> {
    prop_oneof![
        "Qx[a-z]{1,8} Qx[A-Z]",
        "Qx[a-z]{1,8}@mail\\.example",
        "8 Qx[a-z]{1,8} Lane, Hue",
        "  \\{Qx",
        "Qx[ếạ]",
        "\"Qx\"",
        "'Qx''",
    ]
}

/// Any keys, and some that are listed.
fn key() -> impl Strategy<Value = String> {
    let listed =
        ["Type", "status", "Id", "message", "headers", "exchange", "Total", "MT-Fault-Message"];
    // The name of a field may be seen: one that has the mark by chance proves nothing.
    let unmarked = |key: &String| !key.contains("Qx");
    prop_oneof![
        "[a-zA-Z_]{1,10}".prop_filter("has the mark", unmarked),
        "[ -~]{0,6}".prop_filter("has the mark", unmarked),
        "8 Qx[a-z]{1,8} Lane",
        prop::sample::select(listed.map(str::to_owned).to_vec()),
    ]
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => personal().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<i64>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key(), inner.clone()), 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
            inner.prop_map(|inner| Value::from(inner.to_string())),
        ]
    })
}

proptest! {
    #[test]
    fn no_mark_comes_out(mut body in document(), words in personal()) {
        let text = body.to_string();
        let sql = format!("UPDATE x SET body = '{}'", text.replace('\'', "''"));
        prop_assert!(!masked_sql(&sql).contains("Qx"), "{}", masked_sql(&sql));
        let told = mask_text(&format!("no basket of {words} {text}"));
        prop_assert!(!told.contains("Qx"), "{told}");
        let frame = mask_frame(&format!("at {words}"));
        prop_assert!(!frame.contains("Qx"), "{frame}");
        prop_assert!(!json_text(&text, false).to_string().contains("Qx"));
        mask_json(&mut body);
        prop_assert!(!body.to_string().contains("Qx"), "{body}");
    }
}

#[test]
fn what_is_listed_is_seen_and_nothing_else() {
    let id = "019aab5c-2ba6-7b40-9d2a-5e0c4b1f8c41";
    let seen = json!({
        "anything": id, "when": "2026-11-22T09:12:04.5Z", "n": 7, "yes": true, "Total": 12_345_678.5,
        "Status": "New", "messageType": ["urn:message:A.B:C"], "price": "61.40",
        "sourceAddress": "rabbitmq://h/b?temporary=true", "content_type": "application/json",
        "mt_dotnet_type": "A.B.C, D",
    });
    assert_eq!(covered(&seen, true), seen);
    for (key, value) in [
        ("phone", json!(12)),
        ("anything", json!(84_901_234_567_u64)),
        ("anything", json!("0901234567")),
        ("born", json!("1980-02-03")),
        ("Status", json!("Le Thi")),
        ("messageType", json!("Le Thi")),
        ("exchange", json!("le@thi.vn")),
        ("price", json!("0901234567")),
        ("unheard_of", json!("x")),
        ("address", json!({ "zip": 7 })),
    ] {
        let body = covered(&json!({ key: value }), true).to_string();
        assert!(body.contains(MASK) && !body.contains(&value.to_string()), "{body}");
    }
}
