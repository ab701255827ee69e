//! The pictures of the README, drawn from the real program in a real terminal on its demo data.
//! `UPDATE_PICTURES=1` draws them again; otherwise the test checks that they exist and are well-formed.

use std::{fmt::Write as _, fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

use orderscope::demo::{Options, troubles};
use vt100::{Cell, Color, Screen};

use crate::{
    pty::terminal::{Start, Terminal},
    support::postgres::binaries,
};

/// Width and height of a character, and the margin around the screen, in the picture's units.
const WIDTH: f32 = 8.4;
const HEIGHT: f32 = 18.0;
const MARGIN: f32 = 14.0;

const BACKGROUND: &str = "#141a24";
const TEXT: &str = "#c8d3e6";

/// The sixteen colours of a terminal, to go with the background.
const PALETTE: [&str; 16] = [
    "#2a3242", "#f07878", "#8cc882", "#ebbe6e", "#82aaf0", "#b4a0f0", "#7dcfbe", "#c8d3e6",
    "#606c80", "#ff9a9a", "#a8e09e", "#ffd890", "#a0c0ff", "#ccbaff", "#9be6d6", "#ffffff",
];

fn pictures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("assets/pictures")
}

fn colour(colour: Color, usual: &str) -> String {
    match colour {
        Color::Default => usual.to_owned(),
        Color::Idx(index) => PALETTE[usize::from(index) % 16].to_owned(),
        Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
    }
}

/// What cells that are drawn together have in common.
#[derive(Debug, Clone, PartialEq)]
struct Style {
    front: String,
    back: String,
    bold: bool,
    dim: bool,
    underlined: bool,
}

impl Style {
    fn of(cell: &Cell) -> Self {
        let (mut front, mut back) =
            (colour(cell.fgcolor(), TEXT), colour(cell.bgcolor(), BACKGROUND));
        if cell.inverse() {
            std::mem::swap(&mut front, &mut back);
        }
        let (bold, dim, underlined) = (cell.bold(), cell.dim(), cell.underline());
        Self { front, back, bold, dim, underlined }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A piece of a row in one style: its columns and its text.
fn runs(screen: &Screen, row: u16) -> Vec<(Style, u16, u16, String)> {
    let (_, columns) = screen.size();
    let mut runs: Vec<(Style, u16, u16, String)> = vec![];
    for column in 0..columns {
        let cell = screen.cell(row, column).unwrap();
        let style = Style::of(cell);
        let text = match cell.contents() {
            "" if cell.is_wide_continuation() => "",
            "" => " ",
            text => text,
        };
        match runs.last_mut() {
            Some((last, _, to, run)) if *last == style => {
                run.push_str(text);
                *to = column + 1;
            }
            _ => runs.push((style, column, column + 1, text.to_owned())),
        }
    }
    runs
}

fn svg(screen: &Screen, title: &str) -> String {
    let (rows, columns) = screen.size();
    let width = f32::from(columns).mul_add(WIDTH, 2.0 * MARGIN);
    let height = f32::from(rows).mul_add(HEIGHT, 2.0 * MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         role=\"img\" font-family=\"'JetBrains Mono','DejaVu Sans Mono',Menlo,Consolas,monospace\" \
         font-size=\"14\">\n<title>{}</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n",
        escaped(title)
    );
    for row in 0..rows {
        let top = f32::from(row).mul_add(HEIGHT, MARGIN);
        for (style, from, to, text) in runs(screen, row) {
            let x = |column: u16| f32::from(column).mul_add(WIDTH, MARGIN);
            if style.back != BACKGROUND {
                let wide = f32::from(to - from) * WIDTH;
                let (left, back) = (x(from), &style.back);
                writeln!(
                    out,
                    "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{wide:.1}\" height=\"{HEIGHT:.1}\" fill=\"{back}\"/>"
                )
                .unwrap();
            }
            // Gaps of two and more are left out: what is drawn keeps its place.
            for (start, piece) in pieces(&text) {
                let length = unicode_width::UnicodeWidthStr::width(piece);
                let left = x(from + u16::try_from(start).unwrap());
                let wide = f32::from(u16::try_from(length).unwrap()) * WIDTH;
                let mut attributes = format!("fill=\"{}\"", style.front);
                if style.bold {
                    attributes.push_str(" font-weight=\"bold\"");
                }
                if style.dim {
                    attributes.push_str(" opacity=\"0.6\"");
                }
                if style.underlined {
                    attributes.push_str(" text-decoration=\"underline\"");
                }
                writeln!(
                    out,
                    "<text x=\"{left:.1}\" y=\"{:.1}\" textLength=\"{wide:.1}\" \
                     lengthAdjust=\"spacingAndGlyphs\" {attributes}>{}</text>",
                    top + 13.5,
                    escaped(piece)
                )
                .unwrap();
            }
        }
    }
    out.push_str("</svg>\n");
    out
}

/// The parts of a run between longer gaps, each with the column at which it starts.
fn pieces(text: &str) -> Vec<(usize, &str)> {
    let mut out = vec![];
    let (mut rest, mut column) = (text, 0);
    while !rest.is_empty() {
        let inked = rest.trim_start_matches(' ');
        column += rest.len() - inked.len();
        let end = inked.find("  ").unwrap_or(inked.len());
        let piece = inked[..end].trim_end_matches(' ');
        if !piece.is_empty() {
            out.push((column, piece));
        }
        column += unicode_width::UnicodeWidthStr::width(&inked[..end]);
        rest = &inked[end..];
    }
    out
}

fn draw(name: &str, screen: &Screen, title: &str) {
    fs::create_dir_all(pictures()).unwrap();
    fs::write(pictures().join(format!("{name}.svg")), svg(screen, title)).unwrap();
}

/// The walk that the README shows, on a private database with the demo data of today.
fn take() {
    let dir = tempfile::Builder::new().prefix("orderscope-test-").tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let planted = troubles(&Options::until(chrono::Utc::now().date_naive())).unwrap();
    let order = |name: &str| {
        let found = planted.iter().find(|trouble| trouble.name == name).unwrap();
        found.order.unwrap().to_string()
    };
    let mut terminal = Start::new()
        .env("ORDERSCOPE_DATA_DIR", &path("private"))
        .env("ORDERSCOPE_CACHE_DIR", &path("cache"))
        .env("ORDERSCOPE_PG_BIN", &binaries(18).display().to_string())
        .arg("--theme")
        .arg("dusk")
        .patience(Duration::from_mins(5))
        .open();
    terminal.until("first rows", |screen| screen.contains("> …"));
    terminal.send("/placed:14d total:>60\r");
    terminal.shows("Orders › placed:14d total:>60");
    settle(&terminal);
    terminal.send("jj");
    settle(&terminal);
    draw("orders", &terminal.screen(), "Orderscope: searching orders");

    go_to(&mut terminal, &order("sources-disagree"));
    draw("timeline", &terminal.screen(), "Orderscope: the history of an order");

    go_to(&mut terminal, &order("cancelled-after-completion"));
    terminal.send("ggAllB=");
    terminal.shows("Diff A:B  v");
    settle(&terminal);
    draw("diff", &terminal.screen(), "Orderscope: two versions of an order compared");

    terminal.send("4");
    terminal.shows("Diagnosis (");
    // Rates need a second look.
    terminal.drops("after the second look");
    settle(&terminal);
    draw("messages", &terminal.screen(), "Orderscope: why messages do not leave");
    terminal.send("q");
    terminal.ends_clean(0);
}

/// Searches an order and opens it. As the only match it opens by itself, if the answer is quick enough.
fn go_to(terminal: &mut Terminal, order: &str) {
    terminal.send(&format!("2/\x15{order}\r"));
    settle(terminal);
    if !terminal.text().contains("Scrubber") {
        terminal.send("\r");
    }
    terminal.shows("Scrubber");
    settle(terminal);
}

/// Waits until nothing but the clock has moved for a while: the answers are in.
fn settle(terminal: &Terminal) {
    let plain = || terminal.text().chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    let (mut last, mut same) = (plain(), 0);
    while same < 20 {
        std::thread::sleep(Duration::from_millis(50));
        let now = plain();
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
}

#[test]
fn pictures_are_there_and_well_formed() {
    if std::env::var_os("UPDATE_PICTURES").is_some() {
        take();
    }
    for (name, words) in [
        ("orders", ["Orders", "Preview", "Completed"]),
        ("timeline", ["Scrubber", "OrderPlaced", "OrderCompleted"]),
        ("diff", ["Scrubber", "status", "Cancelled"]),
        ("messages", ["Backlog", "Diagnosis", "POISON"]),
    ] {
        let path = pictures().join(format!("{name}.svg"));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!("{}: {error}; UPDATE_PICTURES=1 draws it", path.display())
        });
        assert!(text.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 "));
        assert_eq!(elements(&text), Ok(()), "{name}");
        for word in words {
            assert!(text.contains(word), "{name}: no {word}");
        }
    }
}

/// Whether every element that is opened is closed, in order, and nothing else looks like markup.
fn elements(text: &str) -> Result<(), String> {
    let mut open = vec![];
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&']) {
        let part = &rest[at..];
        if let Some(after) = part.strip_prefix('&') {
            if !["amp;", "lt;", "gt;"].iter().any(|known| after.starts_with(known)) {
                return Err(format!("a bare & before {:?}", after.get(..20).unwrap_or(after)));
            }
            rest = after;
            continue;
        }
        let end = part.find('>').ok_or("an element without an end")?;
        let element = &part[1..end];
        if element.contains('<') || !element.matches('"').count().is_multiple_of(2) {
            return Err(format!("malformed: {element}"));
        }
        if let Some(name) = element.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Err(format!("{name} is closed and was not open"));
            }
        } else if !element.ends_with('/') {
            open.push(element.split(' ').next().unwrap_or_default());
        }
        rest = &part[end + 1..];
    }
    if open.is_empty() { Ok(()) } else { Err(format!("never closed: {open:?}")) }
}

#[test]
fn broken_pictures_are_noticed() {
    assert_eq!(elements("<svg><text>a &lt; b</text><rect/></svg>"), Ok(()));
    for wrong in ["<svg>", "<svg><text></svg>", "<svg>a & b</svg>", "<svg a=\"></svg>", "<svg"] {
        assert!(elements(wrong).is_err(), "{wrong}");
    }
}
