//! The causal chain of what the cursor is on: the links in a row, then every hop with its proof in words.

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};
use unicode_width::UnicodeWidthStr;

use super::{Entry, Msg, Pane, State};
use crate::{
    domain::{
        age,
        chain::{CausalPath, Hop, Node, Proof},
        contract,
        outbox::{Delivery, Owner},
        text,
    },
    ops::analysis::OrderAnalysis,
    tui::{
        shared::Shared,
        ui::{
            hits::Hits,
            pane::{clipped, pane},
            theme::Theme,
        },
        words,
    },
};

/// Rows the pane takes below the others, its frame included.
pub(super) const HEIGHT: u16 = 9;
/// The body needs so many rows to give up those.
pub(super) const ROOMY: u16 = 20;

/// In a body this high the reasons take as many rows as they need.
const WHOLE: u16 = 12;

/// The path of what the cursor is on.
fn causal_path<'a>(state: &State, known: &'a OrderAnalysis) -> Option<&'a CausalPath> {
    match state.entry()? {
        Entry::Event(point) => known.chain.of_version(point.version),
        Entry::Message(message) => known.chain.of_message(message.sequence),
        Entry::Act(_) => None,
    }
}

pub(super) fn view(
    state: &State,
    known: &OrderAnalysis,
    shared: &Shared,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
    hits: &mut Hits<Msg>,
) {
    let title = match state.entry() {
        Some(Entry::Event(point)) => format!("Causal chain of v{}", point.version),
        Some(Entry::Message(message)) => format!("Causal chain of message {}", message.sequence),
        Some(Entry::Act(_)) | None => "Causal chain".to_owned(),
    };
    let note = "by event, message, correlation, conversation, initiator ids and trace";
    let focused = state.pane == Pane::Chain && state.prompt.is_none();
    let inner = pane(frame, area, theme, &title, note, focused);
    let Some((body, foot)) = inner.height.checked_sub(1).map(|rows| {
        (Rect { height: rows, ..inner }, Rect { y: inner.y + rows, height: 1, ..inner })
    }) else {
        return;
    };
    // With room for it, no reason is cut off.
    let whole = body.height >= WHOLE;
    let lines = lines(state, known, shared, theme, usize::from(inner.width), whole);
    let offset = hits.text(body, 3, lines.len(), state.chain_offset);
    for (row, line) in (0..body.height).zip(lines.into_iter().skip(offset)) {
        clipped(frame, Rect { y: body.y + row, height: 1, ..body }, line);
    }
    clipped(frame, foot, legend(theme));
}

fn legend(theme: &Theme) -> Line<'static> {
    let samples = [
        (Proof::Proven(vec![]), "proven by columns"),
        (Proof::Inferred(String::new()), "inferred"),
        (Proof::Absent(String::new()), "known absent"),
        (Proof::Unknown(String::new()), "not known"),
    ];
    let spans = samples.into_iter().flat_map(|(proof, words)| {
        [
            Span::styled(proof.mark(), style(&proof, theme)),
            Span::styled(format!(" {words}   "), theme.muted),
        ]
    });
    Line::from(spans.collect::<Vec<_>>())
}

const fn style(proof: &Proof, theme: &Theme) -> Style {
    match proof {
        Proof::Proven(_) => theme.ok,
        Proof::Inferred(_) => theme.info,
        Proof::Absent(_) => theme.danger,
        Proof::Unknown(_) => theme.warn,
    }
}

fn lines(
    state: &State,
    known: &OrderAnalysis,
    shared: &Shared,
    theme: &Theme,
    width: usize,
    whole: bool,
) -> Vec<Line<'static>> {
    let Some(path) = causal_path(state, known) else {
        let told = match state.entry() {
            Some(Entry::Act(_)) => "an operator's action; what it wrote has its chain at the event",
            _ => "nothing leads here: no event and no message",
        };
        return vec![Line::styled(told, theme.muted)];
    };
    let hops = known.chain.hops_of(path);
    let mut out = picture(known, hops, shared, theme, width);
    for hop in hops {
        let line = reason(known, hop, theme);
        if !whole || line.width() <= width {
            out.push(line);
            continue;
        }
        out.push(Line::from(line.spans.into_iter().take(2).collect::<Vec<_>>()));
        let why = words::wrapped(&hop.proof.why(), width.saturating_sub(9), 4);
        out.extend(why.into_iter().map(|why| Line::styled(format!("         {why}"), theme.muted)));
    }
    let unsearched = known.history.chain.unsearched.of_inbox();
    out.extend(unsearched.map(|note| {
        Line::styled(format!("not searched: {}", text::clean(&note.to_string())), theme.warn)
    }));
    out
}

/// `proven   v2 OrderCancelled ─▶ 88204 …ChangedToCancel: which columns are equal`
fn reason(known: &OrderAnalysis, hop: &Hop, theme: &Theme) -> Line<'static> {
    let style = style(&hop.proof, theme);
    let (from, to) = (label(known.chain.node(hop.from)), label(known.chain.node(hop.to)));
    Line::from(vec![
        Span::styled(format!("{:<8} ", hop.proof.word()), style),
        Span::raw(format!("{from} {} {to}", hop.proof.mark())),
        Span::styled(format!(": {}", text::clean(&hop.proof.why())), theme.muted),
    ])
}

/// A node's label where there is little room.
fn label(node: &Node) -> String {
    match node {
        Node::Message { sequence, contract, .. } => {
            format!("{sequence} {}", text::cut(&contract::shortest(contract), 20))
        }
        Node::MissingMessage { contract } => {
            format!("{}: no row", text::cut(&contract::shortest(contract), 20))
        }
        Node::Event { version, title, .. } => format!("v{version} {}", text::cut(title, 20)),
        Node::Elsewhere => "others".to_owned(),
        Node::Parent(Owner::Consumer { .. }) => "its outbox".to_owned(),
        other => other.label(),
    }
}

/// What stands below the label: when, or how far.
fn detail(node: &Node, proof: Option<&Proof>, shared: &Shared) -> String {
    let clock = |at| shared.zone.show(at, "%H:%M:%S");
    match node {
        Node::Caller => match proof {
            Some(Proof::Inferred(_)) => "no message",
            Some(Proof::Absent(_)) => "no inbox row",
            _ => "not known",
        }
        .to_owned(),
        Node::Inbox(row) => match row.consumed {
            Some(at) if row.delivered.is_none() => format!("{} HALF-DONE", clock(at)),
            Some(at) => clock(at),
            None => "NOT CONSUMED".to_owned(),
        },
        Node::Event { at, .. } => clock(*at),
        Node::Message { at, .. } => clock(*at),
        Node::MissingMessage { .. } => match proof {
            Some(Proof::Absent(_)) => "delivered or purged".to_owned(),
            _ => "not searched".to_owned(),
        },
        Node::Parent(_) => String::new(),
        Node::MissingParent => "never sent".to_owned(),
        Node::Broker { .. } => broker(node, shared).unwrap_or_default(),
        Node::Elsewhere => "not seen".to_owned(),
    }
}

/// `delivered +2s`, `PENDING 4h 21m, behind 88190`.
fn broker(node: &Node, shared: &Shared) -> Option<String> {
    let Node::Broker { delivery, published, delivered, behind, .. } = node else { return None };
    let told = delivery.with_age(*published, shared.now.utc);
    Some(match (delivery, delivered, behind) {
        (Delivery::Delivered, Some(at), _) if at >= published => {
            format!("{told} +{}", age::length(*at - *published))
        }
        (Delivery::Pending, _, Some(head)) => format!("{told}, behind {head}"),
        _ => told,
    })
}

/// How far a message came, for its row in the list; none where the chain does not have it.
pub(super) fn standing(known: &OrderAnalysis, sequence: i64, shared: &Shared) -> Option<String> {
    let hops = known.chain.hops_of(known.chain.of_message(sequence)?);
    let mut mine = false;
    for hop in hops {
        match known.chain.node(hop.to) {
            Node::Message { sequence: other, .. } => mine = *other == sequence,
            node @ Node::Broker { .. } if mine => return broker(node, shared),
            _ => mine |= is_message(known.chain.node(hop.from), sequence),
        }
    }
    None
}

fn is_message(node: &Node, wanted: i64) -> bool {
    matches!(node, Node::Message { sequence, .. } if *sequence == wanted)
}

/// The contract whose row is missing below this event, and whether that is known.
pub(super) fn missing<'a>(known: &'a OrderAnalysis, path: &CausalPath) -> Option<(&'a str, bool)> {
    known.chain.hops_of(path).iter().find_map(|hop| match known.chain.node(hop.to) {
        Node::MissingMessage { contract } => {
            Some((contract.as_str(), matches!(hop.proof, Proof::Absent(_))))
        }
        _ => None,
    })
}

/// The links in a row, what is to be said of each below it; as many rows as they need.
fn picture(
    known: &OrderAnalysis,
    hops: &[Hop],
    shared: &Shared,
    theme: &Theme,
    width: usize,
) -> Vec<Line<'static>> {
    let mut rows = vec![];
    let mut row = Row::default();
    let mut last = None;
    for hop in hops {
        let to = known.chain.node(hop.to);
        if last != Some(hop.from) {
            rows.extend(row.lines(theme));
            row = Row::default();
            let from = known.chain.node(hop.from);
            row.add(None, &label(from), &detail(from, Some(&hop.proof), shared), theme);
        }
        let (name, told) = (label(to), detail(to, Some(&hop.proof), shared));
        let mark = Some((hop.proof.mark(), style(&hop.proof, theme)));
        if row.used + 4 + name.width().max(told.width()) > width {
            rows.extend(row.lines(theme));
            row = Row::default();
        }
        row.add(mark, &name, &told, theme);
        last = Some(hop.to);
    }
    rows.extend(row.lines(theme));
    rows
}

/// Two lines that grow together.
#[derive(Debug, Default)]
struct Row {
    labels: Vec<Span<'static>>,
    details: String,
    used: usize,
}

impl Row {
    fn add(
        &mut self,
        mark: Option<(&'static str, Style)>,
        label: &str,
        detail: &str,
        theme: &Theme,
    ) {
        if let Some((mark, style)) = mark {
            self.labels.push(Span::styled(format!(" {mark} "), style));
            self.details.push_str("    ");
            self.used += 4;
        }
        let width = label.width().max(detail.width());
        self.labels.push(Span::styled(text::fit(label, width), theme.title));
        self.details.push_str(&text::fit(detail, width));
        self.used += width;
    }

    fn lines(self, theme: &Theme) -> Vec<Line<'static>> {
        if self.labels.is_empty() {
            return vec![];
        }
        vec![Line::from(self.labels), Line::styled(self.details, theme.muted)]
    }
}
