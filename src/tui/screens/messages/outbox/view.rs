//! How the lists of outboxes look: messages, or groups of them.

use ratatui::{
    style::Style,
    text::{Line, Span},
};

use super::{Context, Detail, Filter, Group, Pivot, Row, State, View, message};
use crate::{
    domain::{
        address::{Address, short_destination},
        age::Age,
        contract,
        outbox::Delivery,
        text,
        text::thousands,
    },
    tui::screens::messages::sub::{Drawn, Legend},
};

/// Wide enough for what the pivots count, below the rows of a tall list.
const EXPLAINED: u16 = 60;

impl Drawn for State {
    fn title(&self) -> String {
        let list = match (self.pivot, self.view) {
            (Some(Pivot::Type), _) => return "Pending by type".to_owned(),
            (Some(Pivot::Destination), _) => return "Pending by destination".to_owned(),
            (Some(Pivot::Outbox), _) => return "Pending by outbox".to_owned(),
            (None, View::Pending) => "Outbox: pending",
            (None, View::Delivered) => "Outbox: delivered, still present",
            (None, View::Orphan) => "Outbox: orphans",
            (None, View::Expired) => "Outbox: expired",
            (None, View::Undeliverable) => "Outbox: undeliverable",
        };
        match &self.filter {
            None => list.to_owned(),
            Some(Filter::Type(kind)) => format!("{list}, {} (Esc: all)", contract::short(kind)),
            Some(Filter::Destination(to)) => {
                format!("{list}, to {} (Esc: all)", short_destination(to.as_deref()))
            }
            Some(Filter::Outbox(id)) => format!("{list}, outbox {} (Esc: all)", id.short()),
        }
    }

    fn header(&self, roomy: bool) -> &'static str {
        match (self.pivot, roomy) {
            (Some(_), _) => "  messages  oldest    group",
            (None, true) => {
                "  seq      age      state     type                 to                  corr"
            }
            (None, false) => "  seq      age      state     type                 to",
        }
    }

    fn line(
        &self,
        index: usize,
        sign: Span<'static>,
        roomy: bool,
        cx: Context<'_>,
    ) -> Option<Line<'static>> {
        Some(match self.counted() {
            Some(groups) => group_line(groups.get(index)?, sign, self.pivot, cx),
            None => message_line(self.paged.rows.get(index)?, sign, roomy, cx),
        })
    }

    fn empty(&self, cx: Context<'_>) -> Line<'static> {
        let told = match (self.pivot, self.view) {
            (Some(_), _) => "nothing is pending",
            (None, View::Pending) => "Nothing is pending: all is recorded as delivered, or gone",
            (None, View::Delivered) => "no delivered message is kept here",
            (None, View::Orphan) => "every message has an owner",
            (None, View::Expired) => "no pending message is past its expiration time",
            (None, View::Undeliverable) => "every pending message has a usable destination",
        };
        self.paged.empty(cx, told)
    }

    fn footnotes(&self, cx: Context<'_>, width: u16) -> Vec<Line<'static>> {
        let told = match self.view {
            View::Pending => {
                "pending: not recorded as delivered, perhaps out after a crash   i explains"
            }
            _ => "a row that is gone was delivered or purged: nobody can say which   i explains",
        };
        self.paged.footnotes(cx, width, told)
    }

    /// What the pivots would count, the largest first, as much of it as fits.
    fn summary(&self, cx: Context<'_>, width: u16) -> Vec<Line<'static>> {
        let theme = cx.theme;
        let whole = self.view == View::Pending && self.pivot.is_none() && self.filter.is_none();
        let Some(status) = cx.status.filter(|_| whole && width >= EXPLAINED) else { return vec![] };
        let line = |label: &'static str, of: &[Group], name: fn(Option<&str>) -> String| {
            let each = of.iter().map(|group| {
                format!(
                    "{} {}",
                    text::clean(&name(group.key.as_deref())),
                    thousands(group.messages)
                )
            });
            let told = each.collect::<Vec<_>>().join("  ");
            let told = text::cut(&told, usize::from(width).saturating_sub(6));
            (!told.is_empty()).then(|| {
                Line::from(vec![Span::styled(format!("{label:<6}"), theme.muted), Span::raw(told)])
            })
        };
        let kind = |key: Option<&str>| contract::shortest(key.unwrap_or("(none)")).into_owned();
        let to = |key: Option<&str>| contract::shortest(short_destination(key)).into_owned();
        let overview = &status.overview;
        line("type", &overview.by_type, kind)
            .into_iter()
            .chain(line("to", &overview.by_destination, to))
            .collect()
    }

    fn detail(&self, cx: Context<'_>, width: usize) -> Detail {
        message::detail(self, cx, width)
    }

    fn legend(&self) -> Legend {
        LEGEND
    }
}

fn group_line(
    group: &Group,
    mark: Span<'static>,
    pivot: Option<Pivot>,
    cx: Context<'_>,
) -> Line<'static> {
    let oldest = group
        .oldest
        .map_or_else(|| "-".to_owned(), |at| Age::of(at, cx.shared.now.utc).to_string());
    let name = match (pivot, group.key.as_deref()) {
        (Some(Pivot::Type), Some(kind)) => contract::short(kind).to_owned(),
        (Some(Pivot::Destination), to) => short_destination(to).to_owned(),
        (_, key) => key.unwrap_or("(none)").to_owned(),
    };
    Line::from(vec![
        mark,
        Span::styled(format!("{:>8}  ", thousands(group.messages)), cx.theme.accent),
        Span::raw(text::fit(&oldest, 10)),
        Span::raw(text::clean(&name).into_owned()),
    ])
}

fn message_line(row: &Row, mark: Span<'static>, roomy: bool, cx: Context<'_>) -> Line<'static> {
    let Context { shared, theme, .. } = cx;
    let (told, style) = standing(row, cx);
    let age = Age::of(row.published, shared.now.utc).to_string();
    let to = short_destination(row.destination.as_deref());
    let to = contract::shortest(to);
    let to = if roomy { text::fit(&to, 20) } else { text::clean(&to).into_owned() };
    let aim = if row.destination.is_some() { theme.muted } else { theme.danger };
    // Where it stands comes first: what does not fit is cut at the right.
    let mut spans = vec![
        mark,
        Span::styled(text::fit(&thousands(row.sequence), 9), theme.accent),
        Span::raw(text::fit(&age, 9)),
        Span::styled(text::fit(told, 10), style),
        Span::raw(text::fit(&contract::shortest(&row.kind), 21)),
        Span::styled(to, aim),
    ];
    if roomy {
        let id = row.correlation.or(row.conversation).map(|id| id.simple().to_string());
        let corr = id.map_or_else(|| "-".to_owned(), |id| format!("…{}", &id[id.len() - 4..]));
        spans.push(Span::styled(corr, theme.muted));
    }
    Line::from(spans)
}

/// Where a message stands; the one that is known to be poisonous is named so.
fn standing(row: &Row, cx: Context<'_>) -> (&'static str, Style) {
    let Context { theme, status, .. } = cx;
    let head = status.and_then(|status| status.facts.heads.first());
    let next =
        head.and_then(|head| head.next.as_ref()).filter(|next| next.sequence == row.sequence);
    if next.and_then(|next| next.poison.as_ref()).is_some_and(|poison| !poison.is_empty()) {
        return ("POISON", theme.danger);
    }
    if row.delivery == Delivery::Pending {
        match &row.destination {
            None => return ("NO DEST", theme.danger),
            Some(text) if Address::parse(text).is_err() => return ("BAD DEST", theme.danger),
            Some(_) => {}
        }
    }
    match row.delivery {
        Delivery::Pending if next.is_some() => ("next", theme.warn),
        Delivery::Pending => ("pending", theme.text),
        Delivery::Delivered => ("delivered", theme.ok),
        Delivery::Orphan => ("ORPHAN", theme.danger),
        Delivery::Unknown => ("unknown", theme.warn),
    }
}

/// What `i` tells.
const LEGEND: Legend = &[
    ("pending", "not recorded as delivered; after a crash up to 100 a worker may be out already"),
    ("delivered", "recorded so, still there; a row that is gone was that or purged"),
    ("orphan", "no outbox and no inbox row owns it: nothing will ever send it"),
    ("expired", "past its expiration time: still sent, with one second to live"),
    ("age", "since it was published (sent_time), which is not delivery"),
    ("next", "at the head of the oldest outbox: the one that a worker takes first"),
    ("POISON", "its own text keeps it from leaving; the diagnosis says what"),
    ("NO DEST", "without a destination, or (BAD) with one nobody can use: undeliverable"),
    ("corr", "end of the correlation id, else of the conversation id"),
    ("in, out", "messages a minute, from looks of our own or stored ones"),
    ("drained", "when the backlog is gone at these rates [soonest-latest]"),
    ("held by", "whose transaction holds the owner's row now; L looks again"),
    ("relay", "beside this console since it opened; unheard: no queue was bound"),
    ("~ and +", "estimated, and at least; in the diagnosis: what was not looked at"),
];
