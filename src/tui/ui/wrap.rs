//! Text broken between words.

use unicode_width::UnicodeWidthStr;

use crate::domain::text;

/// Text over several lines of `width` columns, broken between words; at most `most` lines.
#[must_use]
pub fn wrapped(words: &str, width: usize, most: usize) -> Vec<String> {
    let cleaned = text::clean(words);
    let mut lines: Vec<String> = vec![];
    for word in cleaned.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(text::cut(word, width)),
        }
    }
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            *last = text::cut(&format!("{last} …"), width);
        }
    }
    lines
}
