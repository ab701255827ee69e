//! Answers as a table for people, JSON for programs, CSV for spreadsheets, Markdown for tickets. Text
//! from the database is made harmless in all of them.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use chrono::{DateTime, FixedOffset, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use unicode_width::UnicodeWidthStr;

use super::{coverage::NotLookedAt, endless, sheet, text, zone::Zone};

/// The widest a column of a table gets; longer text is cut there, and whole in the other forms.
const WIDEST: usize = 120;

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Table,
    Json,
    Csv,
    Markdown,
}

/// One value of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Text(String),
    /// Printed as it stands, in JSON as a number.
    Number(String),
    Flag(bool),
    /// People read it in the zone of its offset, to the second; programs get UTC in full.
    Time(DateTime<FixedOffset>),
    None,
}

impl Cell {
    /// Text, or nothing.
    pub fn maybe(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::None, |text| Self::Text(text.into()))
    }

    /// Any number that prints itself.
    pub fn number(number: impl std::fmt::Display) -> Self {
        Self::Number(number.to_string())
    }

    /// A moment, in UTC until [`Table::in_zone`] says otherwise.
    #[must_use]
    pub fn time(at: DateTime<Utc>) -> Self {
        Self::Time(at.fixed_offset())
    }

    fn shown(&self) -> String {
        match self {
            Self::Time(at) => {
                let offset = at.offset().local_minus_utc();
                let format =
                    if offset == 0 { "%F %TZ".to_owned() } else { format!("%F %T{}", at.offset()) };
                Zone::Fixed(*at.offset()).show(at.to_utc(), &format).trim_end().to_owned()
            }
            Self::Text(value) => text::clean(value).into_owned(),
            Self::Number(number) => number.clone(),
            Self::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
            Self::None => String::new(),
        }
    }

    fn csv(&self) -> String {
        match self {
            Self::Text(value) => sheet::csv_cell(value).into_owned(),
            Self::Number(number) => sheet::csv_number(number).into_owned(),
            Self::Time(at) => in_full(*at),
            _ => self.shown(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Text(value) => Value::String(value.clone()),
            // A number that JSON cannot hold stays a text rather than losing digits.
            Self::Number(number) => {
                serde_json::from_str(number).unwrap_or_else(|_| Value::String(number.clone()))
            }
            Self::Flag(flag) => Value::Bool(*flag),
            Self::Time(at) => Value::String(in_full(*at)),
            Self::None => Value::Null,
        }
    }
}

/// To the microsecond, in UTC: sorts and compares as text.
fn in_full(at: DateTime<FixedOffset>) -> String {
    endless::iso(at.to_utc(), SecondsFormat::Micros)
}

/// Rows under named columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub columns: Vec<&'static str>,
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// The same table with its times shown as clocks in `zone` show them.
    #[must_use]
    pub fn in_zone(mut self, zone: Zone) -> Self {
        for cell in self.rows.iter_mut().flatten() {
            if let Cell::Time(at) = cell {
                *at = at.with_timezone(&zone.offset(at.to_utc()));
            }
        }
        self
    }

    /// The same for a file of what a screen shows: what was not looked at is not known there, and the file does not
    /// claim that it is nothing.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn export(&self, form: Form, out: &mut impl Write) -> io::Result<()> {
        match form {
            Form::Json => print_json(&json!({ "version": VERSION, "rows": self.value() }), out),
            form => self.print(form, &[], out),
        }
    }

    /// Prints all rows in the form asked for. No rows are an empty list in JSON and a header in CSV.
    ///
    /// # Errors
    /// When standard output is gone or full.
    pub fn print(
        &self,
        form: Form,
        unseen: &[NotLookedAt],
        out: &mut impl Write,
    ) -> io::Result<()> {
        match form {
            Form::Table => self.print_table(out),
            Form::Json => print_json(&json_answer(self.value(), unseen), out),
            Form::Csv => self.print_csv(out),
            Form::Markdown => self.print_markdown(out),
        }
    }

    /// The rows as JSON objects.
    #[must_use]
    pub fn value(&self) -> Value {
        self.rows.iter().map(|row| self.object(row)).collect()
    }

    fn object(&self, row: &[Cell]) -> Value {
        let pairs = self.columns.iter().zip(row);
        Value::Object(
            pairs.map(|(name, cell)| ((*name).to_owned(), cell.json())).collect::<Map<_, _>>(),
        )
    }

    fn print_csv(&self, out: &mut impl Write) -> io::Result<()> {
        // Through memory: the writer would turn a broken pipe into an error of its own.
        let mut writer = csv::Writer::from_writer(vec![]);
        writer.write_record(&self.columns)?;
        for row in &self.rows {
            writer.write_record(row.iter().map(Cell::csv))?;
        }
        let text = writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        out.write_all(&text)?;
        out.flush()
    }

    fn print_markdown(&self, out: &mut impl Write) -> io::Result<()> {
        let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
        writeln!(out, "{}", line(self.columns.iter().map(|&name| name.to_owned()).collect()))?;
        writeln!(out, "{}", line(self.columns.iter().map(|_| "---".to_owned()).collect()))?;
        for row in &self.rows {
            let cells = row.iter().map(|cell| escaped(&cell.shown()));
            writeln!(out, "{}", line(cells.collect()))?;
        }
        Ok(())
    }

    fn print_table(&self, out: &mut impl Write) -> io::Result<()> {
        let shown: Vec<Vec<String>> =
            self.rows.iter().map(|row| row.iter().map(Cell::shown).collect()).collect();
        let width = |column: usize| {
            let cells = shown.iter().filter_map(|row| row.get(column));
            let widest = cells.map(|cell| cell.width()).max().unwrap_or(0);
            widest.max(self.columns[column].width()).min(WIDEST)
        };
        let widths: Vec<_> = (0..self.columns.len()).map(width).collect();
        // A mixed column reads like text.
        let is_number = |column: usize| {
            let mut cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.all(|cell| matches!(cell, Cell::Number(_) | Cell::None))
        };
        let right: Vec<_> = (0..self.columns.len()).map(is_number).collect();
        let mut line = |cells: &[&str]| {
            let mut text = String::new();
            for (column, cell) in cells.iter().enumerate() {
                let cell = text::cut(cell, widths[column]);
                let gap = " ".repeat(widths[column].saturating_sub(cell.width()));
                let (before, after) =
                    if right[column] { (gap.as_str(), "") } else { ("", gap.as_str()) };
                text.extend([before, cell.as_str(), after, "  "]);
            }
            writeln!(out, "{}", text.trim_end())
        };
        line(&self.columns)?;
        for row in &shown {
            line(&row.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        Ok(())
    }
}

/// Markdown and HTML must not take the text for their own.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '#' | '!' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

/// The version of the shape that answers in JSON have: docs/json.md.
pub const VERSION: u8 = 1;

/// An answer for programs: an object of its facts, or its rows; which shape it has, and what was not looked at.
#[must_use]
pub fn json_answer(facts: Value, unseen: &[NotLookedAt]) -> Value {
    let mut all = Map::new();
    all.insert("version".to_owned(), VERSION.into());
    match facts {
        Value::Object(facts) => all.extend(facts),
        rows => {
            all.insert("rows".to_owned(), rows);
        }
    }
    let unseen: Vec<_> = unseen.iter().map(NotLookedAt::value).collect();
    all.insert("not_looked_at".to_owned(), json!(unseen));
    Value::Object(all)
}

/// Prints one JSON value, indented, with a final newline. What could act on a terminal or hide in it is
/// escaped, beyond the control characters that JSON itself forbids.
///
/// # Errors
/// When standard output is gone or full.
pub fn print_json(value: &Value, out: &mut impl Write) -> io::Result<()> {
    let plain = serde_json::to_string_pretty(value)?;
    let mut text = String::with_capacity(plain.len() + 1);
    for c in plain.chars() {
        // Outside of strings there are only ASCII characters and line ends.
        if c.is_ascii() && c != '\u{7f}' || text::is_plain(c) {
            text.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\u{unit:04x}");
        }
    }
    text.push('\n');
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        Table {
            columns: vec!["id", "total", "note"],
            rows: vec![vec![
                Cell::Text("…8c41".into()),
                Cell::Number("61.40".into()),
                Cell::Text("=HYPERLINK(\"x\")\u{1b}[2J".into()),
            ]],
        }
    }

    fn printed(table: &Table, form: Form) -> String {
        let mut out = vec![];
        table.print(form, &[], &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn hostile_text_is_harmless_in_every_form() {
        let table = printed(&sample(), Form::Table);
        assert!(!table.contains('\u{1b}') && table.contains("61.40"), "{table}");
        let csv = printed(&sample(), Form::Csv);
        assert!(csv.contains("'=HYPERLINK") && !csv.contains('\u{1b}'), "{csv}");
        let markdown = printed(&sample(), Form::Markdown);
        assert!(!markdown.contains('\u{1b}') && markdown.contains("| 61.40 |"), "{markdown}");
        let json: Value = serde_json::from_str(&printed(&sample(), Form::Json)).unwrap();
        assert_eq!(json["rows"][0]["total"].to_string(), "61.40");
    }

    #[test]
    fn json_hides_nothing_and_loses_nothing() {
        let text = "\u{9b}2J \u{202e}x\u{200b} \u{e0041} \u{7f} Lê 📚";
        let mut out = vec![];
        print_json(&Value::from(text), &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        let told = r#""\u009b2J \u202ex\u200b \udb40\udc41 \u007f Lê 📚""#;
        assert_eq!(out, format!("{told}\n"));
        assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), text);
    }

    #[test]
    fn people_get_their_zone_and_programs_utc() {
        let at = DateTime::from_timestamp(1_795_000_000, 5_000).unwrap();
        let table = Table { columns: vec!["at"], rows: vec![vec![Cell::time(at)]] };
        assert_eq!(printed(&table, Form::Table), "at\n2026-11-18 11:06:40Z\n");
        let table = table.in_zone("Asia/Tokyo".parse().unwrap());
        assert_eq!(printed(&table, Form::Table), "at\n2026-11-18 20:06:40+09:00\n");
        assert_eq!(printed(&table, Form::Csv), "at\n2026-11-18T11:06:40.000005Z\n");
    }

    #[test]
    fn nothing_found_is_an_empty_list() {
        let empty = Table { rows: vec![], ..sample() };
        let json: Value = serde_json::from_str(&printed(&empty, Form::Json)).unwrap();
        assert_eq!(json, json!({ "version": 1, "rows": [], "not_looked_at": [] }));
        assert_eq!(printed(&empty, Form::Csv), "id,total,note\n");
    }
}
