//! Exception texts without the parts that differ from message to message, so that equal failures form one group.

/// Longer texts are cut before they are compared: some carry whole documents.
const LONGEST: usize = 2_000;

/// The text with ids, numbers, times and addresses replaced by what they are. A SQLSTATE at the beginning
/// stays: it is the failure's name.
#[must_use]
pub fn normalised(text: &str) -> String {
    let text: String = text.chars().take(LONGEST).collect();
    let (state, rest) = sql_state(&text);
    let mut out = String::from(state);
    for word in rest.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&plain(word));
    }
    out
}

/// Five digits or capitals and a colon.
fn sql_state(text: &str) -> (&str, &str) {
    let is_state = text.as_bytes().get(5) == Some(&b':')
        && text.as_bytes()[..5].iter().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
        && text.as_bytes()[..5].iter().any(u8::is_ascii_digit);
    if is_state { text.split_at(6) } else { ("", text) }
}

/// What a word is apart from the marks around it.
fn core(word: &str) -> (&str, &str, &str) {
    let is_mark = |c: char| "\"'`()[]{}<>,;:.!?=".contains(c);
    let start = word.trim_start_matches(is_mark);
    let inside = start.trim_end_matches(is_mark);
    let before = &word[..word.len() - start.len()];
    (before, inside, &start[inside.len()..])
}

fn plain(word: &str) -> String {
    let (before, inside, after) = core(word);
    let what = if is_mail(inside) {
        "<mail>".to_owned()
    } else if is_time(inside) {
        "<time>".to_owned()
    } else {
        pieces(inside)
    };
    format!("{before}{what}{after}")
}

fn is_mail(word: &str) -> bool {
    word.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
}

/// `2026-11-22…` or `18:16:52…`.
fn is_time(word: &str) -> bool {
    let shaped = |pattern: &str| {
        let mut chars = word.chars();
        pattern.chars().all(|p| match (p, chars.next()) {
            ('9', Some(c)) => c.is_ascii_digit(),
            (p, Some(c)) => p == c,
            (_, None) => false,
        })
    };
    shaped("9999-99-99") || shaped("99:99:99")
}

/// Runs of letters and digits: ids, hexadecimal values and numbers give way, words stay.
fn pieces(word: &str) -> String {
    let mut out = String::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = uuid(rest) {
            out.push_str("<id>");
            rest = after;
            continue;
        }
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        if end == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (run, after) = rest.split_at(end);
        out.push_str(&piece(run));
        rest = after;
    }
    // 61.40 and 1,204 are one number each.
    for joined in ["<n>.<n>", "<n>,<n>"] {
        while out.contains(joined) {
            out = out.replace(joined, "<n>");
        }
    }
    out
}

/// A dashed id at the beginning of the text: what follows it.
fn uuid(text: &str) -> Option<&str> {
    let (head, after) = (text.get(..36)?, text.get(36..)?);
    let ends = after.chars().next().is_none_or(|c| !c.is_ascii_alphanumeric());
    (ends && head.as_bytes()[8] == b'-' && uuid::Uuid::try_parse(head).is_ok()).then_some(after)
}

fn piece(run: &str) -> String {
    let digits = run.bytes().filter(u8::is_ascii_digit).count();
    let is_hex = run.bytes().all(|b| b.is_ascii_hexdigit());
    if digits == run.len() {
        "<n>".to_owned()
    } else if digits > 0 && is_hex && run.len() >= 8 {
        "<hex>".to_owned()
    } else {
        // `step12` and `step13` differ in nothing that matters, `UInt32` keeps its name's letters.
        let mut out = String::new();
        let mut counting = false;
        for c in run.chars() {
            match (c.is_ascii_digit(), counting) {
                (true, false) => out.push_str("<n>"),
                (true, true) => {}
                (false, _) => out.push(c),
            }
            counting = c.is_ascii_digit();
        }
        out
    }
}
