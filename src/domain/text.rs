//! Text from the database is hostile until made visible: nothing of it may reach a terminal, a
//! spreadsheet or a log as anything but letters.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Whether a character could move, hide, reverse or colour what stands around it.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'                        // soft hyphen: invisible
            | '\u{61c}' | '\u{180e}'        // Arabic letter mark, Mongolian vowel separator
            | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' // blank Hangul fillers
            | '\u{200b}'..='\u{200f}'       // zero width and direction marks
            | '\u{2028}'..='\u{202e}'       // separators, embeddings and overrides
            | '\u{2060}'..='\u{206f}'       // joiners, isolates, invisible operators
            | '\u{fe00}'..='\u{fe0f}'       // variation selectors
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e000}'..='\u{f8ff}'       // private use: whatever the font likes
            | '\u{e0000}'..='\u{fffff}'     // tags, more selectors, private use
            | '\u{100000}'..='\u{10ffff}'
        )
}

/// Most combining marks kept on one letter: they belong to many languages, only piles are a danger.
const MARKS: usize = 4;

/// The same text with every dangerous character made visible: a line end as `⏎`, a tab as `⇥`, an
/// escape as `␛`, others as `\u{202e}`.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    let heavy = |text: &str| text.graphemes(true).any(|g| g.chars().count() > MARKS + 1);
    if text.is_ascii() && !text.bytes().any(|b| b.is_ascii_control()) {
        return Cow::Borrowed(text);
    }
    if !text.chars().any(is_hostile) && !heavy(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    let mut marks = 0;
    for c in text.chars() {
        if c.width() == Some(0) && !is_hostile(c) {
            marks += 1;
            if marks <= MARKS {
                out.push(c);
            }
            continue;
        }
        marks = 0;
        match c {
            '\n' => out.push('⏎'),
            '\r' => out.push('␍'),
            '\t' => out.push('⇥'),
            '\u{0}'..='\u{1f}' => {
                out.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('?'));
            }
            c if is_hostile(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Cleaned text in at most `width` columns; what is cut off is told by `…`.
#[must_use]
pub fn cut(text: &str, width: usize) -> String {
    // What is far out of sight need not be cleaned: a note may be a megabyte.
    let near = text.char_indices().nth(width.saturating_mul(2).saturating_add(16));
    let text = clean(near.map_or(text, |(at, _)| &text[..at]));
    if near.is_none() && text.width() <= width {
        return text.into_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let wide = grapheme.width();
        if used + wide + 1 > width {
            break;
        }
        out.push_str(grapheme);
        used += wide;
    }
    if width > 0 {
        out.push('…');
    }
    out
}

/// Cut or padded to exactly `width` columns.
#[must_use]
pub fn fit(text: &str, width: usize) -> String {
    let mut out = cut(text, width);
    out.extend(std::iter::repeat_n(' ', width.saturating_sub(out.width())));
    out
}

/// A person's name with all but each word's first letter covered, the last word shortened:
/// `Le Thi` becomes `L*** T.`
#[must_use]
pub fn mask_name(name: &str) -> String {
    let words: Vec<_> = name.split_whitespace().collect();
    let first = |word: &str| clean(word).chars().next().unwrap_or('*');
    match words.as_slice() {
        [] => String::new(),
        [only] => format!("{}***", first(only)),
        [start, .., end] => format!("{}*** {}.", first(start), first(end)),
    }
}

/// What stands in place of covered text, whatever its length.
pub const MASKED: &str = "********";

/// A text for a spreadsheet cell: cleaned, and never taken for a formula.
#[must_use]
pub fn csv_cell(text: &str) -> Cow<'_, str> {
    let cleaned = clean(text);
    if cleaned.trim_start().starts_with(['=', '+', '-', '@', '⇥', '␍']) {
        return Cow::Owned(format!("'{cleaned}"));
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_text_becomes_visible() {
        assert_eq!(clean("a\u{1b}[2Jb\n\u{202e}c\u{200b}"), "a␛[2Jb⏎\\u{202e}c\\u{200b}");
        assert_eq!(clean("Nguyễn 書店 é"), "Nguyễn 書店 é");
        assert!(clean(&format!("a{}", "\u{301}".repeat(500))).chars().count() < 10);
    }

    #[test]
    fn names_are_covered() {
        assert_eq!(mask_name("Le Thi Hoa"), "L*** H.");
        assert_eq!(mask_name("Cher"), "C***");
        assert_eq!(mask_name(" "), "");
    }

    #[test]
    fn formulas_are_defused() {
        assert_eq!(csv_cell("=1+1"), "'=1+1");
        assert_eq!(csv_cell(" @cmd"), "' @cmd");
        assert_eq!(csv_cell("a-b"), "a-b");
    }

    proptest! {
        #[test]
        fn nothing_hostile_survives(text in any::<String>(), width in 0_usize..50) {
            prop_assert!(!clean(&text).chars().any(is_hostile));
            let cut = cut(&text, width);
            prop_assert!(cut.width() <= width, "{cut:?}");
            prop_assert!(!cut.chars().any(is_hostile));
            prop_assert_eq!(fit(&text, width).width(), width);
        }
    }
}
