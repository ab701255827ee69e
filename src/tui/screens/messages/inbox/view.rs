//! How the inbox looks: its rows, and what each consumer's add up to.

use ratatui::text::{Line, Span};

use super::{Context, Detail, InboxRow, InboxView, State, hours, name};
use crate::{
    domain::{age::Age, text},
    ops::messages::{
        history::Past,
        report::{inbox_note, percentiles, published},
    },
    tui::{
        screens::messages::sub::{Drawn, Legend},
        words,
    },
};

/// Above the rows where there is room.
pub(in super::super) const HEADER: &str =
    "  msg    consumer            received        passes  lag       note";
/// In place of rows where there are none.
pub(in super::super) const EMPTY: &str = "no consumer received anything, or it was cleaned up";

impl Drawn for State {
    fn title(&self) -> String {
        let view = match self.view {
            InboxView::All => "Inbox",
            InboxView::Failing => "Inbox: not handled",
            InboxView::HalfDone => "Inbox: half-done",
            InboxView::Duplicates => "Inbox: duplicates",
        };
        match self.from {
            Some(message) => format!("{view}, from {} on (Esc: all)", message.short()),
            None if self.view == InboxView::All => view.to_owned(),
            None => format!("{view} (Esc: all)"),
        }
    }

    fn header(&self, roomy: bool) -> &'static str {
        if roomy { HEADER } else { "  msg    consumer            received        passes  note" }
    }

    fn line(
        &self,
        index: usize,
        sign: Span<'static>,
        roomy: bool,
        cx: Context<'_>,
    ) -> Option<Line<'static>> {
        Some(line(self.paged.rows.get(index)?, sign, roomy, cx))
    }

    fn empty(&self, cx: Context<'_>) -> Line<'static> {
        let told = match self.view {
            InboxView::All => EMPTY,
            InboxView::Failing => "nothing has waited for longer than messages.held_after",
            InboxView::HalfDone => "nothing is half-done",
            InboxView::Duplicates => "No duplicates among the rows that are still here",
        };
        self.paged.empty(cx, told)
    }

    fn footnotes(&self, cx: Context<'_>, width: u16) -> Vec<Line<'static>> {
        let told =
            "passes: 3, and one for each message the consumer produced, is normal   i explains";
        self.paged.footnotes(cx, width, told)
    }

    fn detail(&self, cx: Context<'_>, width: usize) -> Detail {
        let (title, note, lines) = if self.by_hour {
            ("Received by hour", "H: sums", hours::by_hour(&self.day, cx, width))
        } else {
            ("Consumers", "H: by hour", consumers(cx, width))
        };
        Detail { title: title.to_owned(), note, lines }
    }

    fn legend(&self) -> Legend {
        LEGEND
    }
}

/// One row of the list.
pub(in super::super) fn line(
    row: &InboxRow,
    mark: Span<'static>,
    roomy: bool,
    cx: Context<'_>,
) -> Line<'static> {
    let Context { shared, theme, .. } = cx;
    let name = name(cx, row.consumer);
    let received = shared.zone.show(row.received, "%m-%d %H:%M:%S");
    let bad = row.delivered.is_none();
    let note = match (row.consumed, row.delivered) {
        (None, None) => "not handled",
        (Some(_), None) => "half-done",
        _ if inbox_note(row) == "done" => "done",
        // Without a message of its own, every pass beyond three is a second delivery.
        _ if row.cursor.is_none() => "again",
        _ => "again?",
    };
    let style = if bad { theme.danger } else { theme.muted };
    let passes = format!("{:>6}  ", row.passes);
    let mut spans = vec![
        mark,
        Span::styled(text::fit(&row.message.short(), 7), theme.accent),
        Span::raw(text::fit(&name, 19)),
        Span::raw(" "),
        Span::raw(text::fit(&received, 16)),
        Span::raw(passes),
    ];
    if roomy {
        let lag = row
            .delivered
            .map_or_else(|| "-".to_owned(), |at| Age::of(row.received, at).to_string());
        spans.push(Span::raw(text::fit(&lag, 10)));
    }
    spans.push(Span::styled(note, style));
    Line::from(spans)
}

/// What each consumer's rows add up to.
fn consumers(cx: Context<'_>, width: usize) -> Vec<Line<'static>> {
    let theme = cx.theme;
    let Some(status) = cx.status else { return vec![] };
    let inbox = &status.facts.inbox;
    let mut out = vec![];
    let (exact, estimated, share) = inbox.duplicates();
    let share = share.map_or_else(String::new, |share| format!(" ({share:.1}%)"));
    out.push(Line::raw(format!("{} in the last hour", inbox.last_hour)));
    out.push(Line::raw(if inbox.is_known() {
        format!("duplicates {exact} exact, {estimated} estimated{share}")
    } else {
        format!("duplicates {}", inbox.rows)
    }));
    let told = format!("publish latency {}", published(status.facts.published));
    out.extend(words::wrapped(&told, width, 2).into_iter().map(Line::raw));
    if let Some(Past::Stored(history)) = cx.kept
        && let Some(day) = history.day.filter(|day| day.repeated > 0)
    {
        let told = format!("handled again after their rows had gone: {} in 24h", day.repeated);
        out.push(Line::styled(text::cut(&told, width), theme.warn));
    }
    for one in &inbox.consumers {
        out.push(Line::default());
        out.push(Line::styled(text::cut(&one.name, width), theme.title));
        let style = if one.failing + one.half_done > 0 { theme.danger } else { theme.text };
        out.push(Line::raw(format!("  {} rows, {} done", one.rows, one.done)));
        out.push(Line::styled(
            format!("  {} failing, {} half-done", one.failing, one.half_done),
            style,
        ));
        out.push(Line::raw(format!(
            "  duplicates {} exact, {} estimated",
            one.duplicates_exact, one.duplicates_estimated
        )));
        if let Some(latency) = one.latency {
            out.push(Line::raw(format!("  {}", percentiles(latency))));
        }
    }
    out
}

/// What `i` tells.
const LEGEND: Legend = &[
    ("passes", "receive_count: committed passes, not deliveries; failures leave it at 0"),
    ("again", "duplicate: received again, nothing changed"),
    ("again?", "the same, or it produced several messages: each is a pass of its own"),
    ("not handled", "no attempt succeeded; a new row is being handled for a minute at most"),
    ("half-done", "handled, its messages not recorded as delivered"),
    ("lag", "from received to delivered; publish latency: from an outbox's creation to delivery"),
    ("exact", "of consumers that produce nothing; estimated: of the others"),
    ("by hour", "H: shades of what came in; + some of it again, ! some of it not done"),
    ("U and d", "only what nobody handled (again: half-done), only what came again; Esc: all"),
    ("~ and +", "estimated, and at least; in the diagnosis: what was not looked at"),
];
