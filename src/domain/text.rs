//! Hostile text made visible: everything shown, copied, exported or logged goes through here.
//!
//! The result has no control, escape, bidirectional or invisible character; each is replaced by something visible
//! (`␛`, `⏎`, `\u{202E}`).

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// More combining marks than this on one letter only deface the screen.
const MOST_MARKS: usize = 4;

/// The text with everything invisible or active made visible. Borrowed when nothing was.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let mut seen = String::with_capacity(text.len() + 8);
    let mut marks = 0;
    let mut plain = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\r' && chars.peek() == Some(&'\n') {
            continue;
        }
        // A variation selector changes only the glyph, and terminals disagree on its width.
        if matches!(c, '\u{FE0E}' | '\u{FE0F}') && plain {
            plain = false;
            continue;
        }
        plain = false;
        if is_mark(c) {
            marks += 1;
            if seen.is_empty() {
                // It would change the cell to its left, which is not ours.
                seen.push('◌');
            }
            if marks <= MOST_MARKS {
                seen.push(c);
            } else {
                escape(&mut seen, c);
            }
            continue;
        }
        marks = 0;
        match c {
            ' '..='~' => seen.push(c),
            '\n' | '\u{85}' | '\u{2028}' | '\u{2029}' => seen.push('⏎'),
            '\0'..='\u{1F}' => seen.push(picture(c)),
            '\u{7F}' => seen.push('␡'),
            '\u{A0}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => {
                seen.push(' ');
            }
            c if is_hidden(c) || !is_printable(c) => escape(&mut seen, c),
            c => seen.push(c),
        }
        plain = !c.is_control();
    }
    if seen == text { Cow::Borrowed(text) } else { Cow::Owned(seen) }
}

/// The cleaned text in at most `width` columns of a terminal; what does not fit becomes `…`.
#[must_use]
pub fn cut(text: &str, width: usize) -> String {
    // A letter, its picture selector, its marks and the return before a line feed take a column or
    // more, so no more than this can be shown.
    let most = width.saturating_add(1).saturating_mul(MOST_MARKS + 3);
    let head = text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end]);
    let cleaned = clean(head);
    if head.len() == text.len() && cleaned.width() <= width {
        return cleaned.into_owned();
    }
    if width == 0 {
        return String::new();
    }
    let mut shown = String::new();
    let mut columns = 0;
    for letter in cleaned.graphemes(true) {
        columns += letter.width();
        if columns >= width {
            break;
        }
        shown.push_str(letter);
    }
    shown.push('…');
    shown
}

/// Cut or padded to exactly `width` columns.
#[must_use]
pub fn fit(text: &str, width: usize) -> String {
    let mut shown = cut(text, width);
    shown.extend(std::iter::repeat_n(' ', width.saturating_sub(shown.width())));
    shown
}

/// Whether a character shows itself and does nothing else: none of those that [`clean`] replaces.
#[must_use]
pub fn is_plain(c: char) -> bool {
    matches!(c, ' '..='~') || (!c.is_control() && !is_hidden(c) && is_printable(c))
}

/// `1,204`
#[must_use]
pub fn thousands(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::from(if number < 0 { "-" } else { "" });
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count with its noun: `1 event`, `2,000 events`.
#[must_use]
pub fn counted(count: impl TryInto<i64>, noun: &str) -> String {
    let count = count.try_into().unwrap_or(i64::MAX);
    let number = thousands(count);
    let more = if count == 1 { "" } else { "s" };
    format!("{number} {noun}{more}")
}

/// Bytes as hexadecimal digits, two for each.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn picture(control: char) -> char {
    char::from_u32(0x2400 + u32::from(control)).unwrap_or('␀')
}

fn escape(into: &mut String, c: char) {
    // Writing to a String cannot fail.
    let _ = write!(into, "\\u{{{:X}}}", u32::from(c));
}

/// Takes no column of its own: joins the letter before it.
fn is_mark(c: char) -> bool {
    c.width() == Some(0) && is_printable(c) && !is_hidden(c)
}

/// The standard library's table of what has a shape: not controls, formats (bidirectional ones
/// among them), private use, nor what Unicode has not assigned.
fn is_printable(c: char) -> bool {
    // In second place, so that a mark is not escaped for standing first.
    let mut pair = [b'a'; 5];
    let length = c.encode_utf8(&mut pair[1..]).len();
    std::str::from_utf8(&pair[..=length]).is_ok_and(|pair| pair.escape_debug().nth(2) != Some('u'))
}

/// Letters and marks by category that show nothing (Unicode's default-ignorable ones).
const fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{34F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
        | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FFA0}' | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_would_act_is_shown() {
        assert_eq!(clean("\u{1b}[31mred\u{7}"), "␛[31mred␇");
        assert_eq!(clean("\u{9b}2J"), "\\u{9B}2J");
        assert_eq!(clean("a\r\nb\nc\rd\te"), "a⏎b⏎c␍d␉e");
        assert_eq!(clean("invoice\u{202E}fdp.exe"), "invoice\\u{202E}fdp.exe");
        assert_eq!(clean("pay\u{200B}pal\u{FEFF}"), "pay\\u{200B}pal\\u{FEFF}");
        assert_eq!(clean("\u{E000}\u{378}\u{E0041}"), "\\u{E000}\\u{378}\\u{E0041}");
        assert_eq!(clean("a\u{A0}b\u{3000}c"), "a b c");
        assert_eq!(clean("\u{7f}\u{0}"), "␡␀");
        assert_eq!(clean("\u{3164}a\u{E0100}b\u{180B}"), "\\u{3164}a\\u{E0100}b\\u{180B}");
        assert_eq!(clean("❤\u{FE0F}\u{FE0F} 1\u{FE0F}\u{20E3}"), "❤\\u{FE0F} 1\u{20E3}");
    }

    #[test]
    fn numbers_in_groups_of_three_and_bytes_as_digits() {
        let shown = [0, 999, 1_204, -1_234_567, i64::MIN].map(thousands);
        assert_eq!(shown, ["0", "999", "1,204", "-1,234,567", "-9,223,372,036,854,775,808"]);
        assert_eq!(hex(&[0, 0x0f, 0xa0]), "000fa0");
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in
            ["Lê Thị", "Nguye\u{302}\u{303}n", "田中 太郎", "שלום", "Ωmega ✓ 📚", "a\\b\"c'"]
        {
            assert!(matches!(clean(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn marks_do_not_pile_up_or_leave_the_text() {
        assert_eq!(clean("\u{301}a"), "◌\u{301}a");
        let piled = format!("z{}", "\u{334}".repeat(40));
        assert!(clean(&piled).contains("\\u{334}"));
    }

    #[test]
    fn cutting_counts_columns() {
        assert_eq!(cut("orders", 6), "orders");
        assert_eq!(cut("orders", usize::MAX), "orders");
        assert_eq!(cut("orders", 5), "orde…");
        assert_eq!(cut("orders", 1), "…");
        assert_eq!(cut("orders", 0), "");
        assert_eq!(cut("", 0), "");
        assert_eq!(cut("田中太郎", 5), "田中…");
        assert_eq!(cut("田中太郎", 4), "田…");
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        assert_eq!(cut(&"x".repeat(1_000_000), 3), "xx…");
    }

    fn harmless(c: char) -> bool {
        let bidi = ['\u{202A}'..='\u{202E}', '\u{2066}'..='\u{2069}', '\u{200E}'..='\u{200F}'];
        let invisible = [
            '\u{61C}'..='\u{61C}',
            '\u{AD}'..='\u{AD}',
            '\u{200B}'..='\u{200D}',
            '\u{2060}'..='\u{2064}',
            '\u{3164}'..='\u{3164}',
            '\u{FE00}'..='\u{FE0F}',
            '\u{FEFF}'..='\u{FEFF}',
            '\u{E0000}'..='\u{E0FFF}',
        ];
        !c.is_control() && !bidi.iter().chain(&invisible).any(|range| range.contains(&c))
    }

    /// Hostile characters far more often than chance would give them.
    fn hostile() -> impl Strategy<Value = String> {
        let bad = proptest::sample::select(vec![
            '\u{1b}',
            '\u{9b}',
            '\r',
            '\n',
            '\u{202E}',
            '\u{2066}',
            '\u{200D}',
            '\u{FEFF}',
            '\u{301}',
            '\u{FE0F}',
            '\u{1F468}',
            '田',
            '\u{AD}',
            '\u{61C}',
            '\u{E0020}',
            '\u{1161}',
        ]);
        proptest::collection::vec(prop_oneof![bad, any::<char>()], 0..40)
            .prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn nothing_harmful_gets_through(text in hostile()) {
            let seen = clean(&text);
            prop_assert!(seen.chars().all(harmless), "{:?}", seen);
            prop_assert_eq!(clean(&seen), seen.as_ref());
        }

        #[test]
        fn the_width_is_kept(text in hostile(), width in 0usize..30) {
            let shown = cut(&text, width);
            prop_assert!(shown.width() <= width, "{:?} is {} wide", shown, shown.width());
            prop_assert!(shown.chars().all(harmless));
            prop_assert_eq!(cut(&shown, width), shown);
        }
    }
}
