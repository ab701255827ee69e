//! How groups and messages of error queues look.

use ratatui::{
    style::Style,
    text::{Line, Span},
};
use serde_json::Value;

use super::{Context, Detail, FoundFault, Group, State};
use crate::{
    domain::{age::Age, fault::Verdict, text},
    ops::error_queue::report,
    tui::{
        screens::messages::{
            body,
            sub::{Drawn, Legend},
        },
        ui::theme::Theme,
        words,
    },
};

/// Lines of a value before it is cut.
const MOST: usize = 6;
/// Queues whose state is told below the list.
const QUEUES: usize = 3;

impl Drawn for State {
    fn title(&self) -> String {
        match &self.within {
            None => "Error queues: groups".to_owned(),
            Some(fingerprint) => format!("Error queues: group {fingerprint} (Esc: all)"),
        }
    }

    fn header(&self, _: bool) -> &'static str {
        match self.within {
            None => "  count newest   done wait unkn dupl  failure",
            Some(_) => "  key           age      verdict    type               Space marks",
        }
    }

    fn line(
        &self,
        index: usize,
        sign: Span<'static>,
        _: bool,
        cx: Context<'_>,
    ) -> Option<Line<'static>> {
        Some(match self.within {
            None => group_line(self.groups.get(index)?, sign, cx),
            Some(_) => message_line(self.messages().nth(index)?, sign, cx),
        })
    }

    fn is_marked(&self, index: usize) -> bool {
        let found = self.messages().nth(index);
        found.is_some_and(|found| self.list.is_marked(&found.fault.key))
    }

    fn empty(&self, cx: Context<'_>) -> Line<'static> {
        let theme = cx.theme;
        match (self.look.loading_since(), &self.look.value, &self.look.error) {
            (Some(_), None, _) => Line::styled("  looking into the queues …", theme.muted),
            (_, None, Some(_)) => {
                Line::styled("  the error queues were not looked into", theme.muted)
            }
            (_, None, None) => Line::styled("  r looks into the queues", theme.muted),
            (_, Some(listing), _) if listing.is_whole() => {
                Line::styled("  nothing lies in these queues", theme.ok)
            }
            (_, Some(_), _) => {
                Line::styled("  nothing was found in what could be read", theme.warn)
            }
        }
    }

    /// Why nothing newer is shown, what was not read, which queues these are.
    fn footnotes(&self, cx: Context<'_>, width: u16) -> Vec<Line<'static>> {
        let Context { shared, theme, .. } = cx;
        let width = usize::from(width).max(8);
        let mut out = vec![];
        let mut say = |told: &str, most: usize, style: Style| {
            let lines = words::wrapped(told, width, most);
            out.extend(lines.into_iter().map(|line| Line::styled(line, style)));
        };
        let marked = self.marked().len();
        if marked > 0 {
            let told = format!("{marked} marked: x acts on them; Esc at the groups lets them go");
            say(&told, 1, theme.marked);
        }
        if let Some(error) = &self.look.error {
            let old = self.look.seen_at.map(|at| {
                format!("Not refreshed (what is shown is {} old): ", words::since(at, shared))
            });
            say(&format!("{}{error}", old.unwrap_or_default()), 5, theme.danger);
        }
        if let Some(listing) = &self.look.value {
            for note in listing.told() {
                say(&note, 2, theme.warn);
            }
            let seen: Vec<_> =
                listing.looked.iter().filter(|looked| looked.trouble.is_none()).collect();
            // Where something lies comes first; what is not there is only counted.
            let mut there: Vec<_> =
                seen.iter().filter_map(|looked| Some((looked.depth?, &looked.queue))).collect();
            there.sort_by_key(|(depth, _)| *depth == 0);
            let never = seen.len() - there.len();
            let told = there.iter().take(QUEUES).map(|(depth, queue)| format!("{queue} {depth}"));
            let mut told = told.collect::<Vec<_>>();
            if there.len() > QUEUES {
                told.push(format!("{} more", there.len() - QUEUES));
            }
            if never > 0 {
                let queues = if never == 1 { "queue" } else { "queues" };
                told.push(format!("{never} {queues} never made"));
            }
            let told = told.join(", ");
            let age = self
                .look
                .seen_at
                .map_or_else(String::new, |at| format!(" {} ago", words::since(at, shared)));
            let doing = if self.look.loading_since().is_some() {
                "; looking again …"
            } else {
                "; r looks again"
            };
            say(&format!("looked{age} at {told}{doing}"), 2, theme.muted);
        }
        out
    }

    /// A group or a message in full.
    fn detail(&self, cx: Context<'_>, width: usize) -> Detail {
        let (group, message) = (self.group(), self.message());
        let title = match (group, message) {
            (Some(group), _) => format!("Group {}", group.fingerprint),
            (_, Some(found)) => format!("Message {}", found.fault.key),
            _ => "Message".to_owned(),
        };
        let order = message.and_then(|found| found.fault.order);
        let note = if order.is_some() { "Enter: its order" } else { "" };
        let lines = match (group, message) {
            (Some(group), _) => group_lines(group, cx, width),
            (None, Some(found)) => message_lines(found, cx, width),
            (None, None) => vec![Line::styled("no message is chosen", cx.theme.muted)],
        };
        Detail { title, note, lines }
    }

    fn legend(&self) -> Legend {
        LEGEND
    }
}

fn message_line(found: &FoundFault, mark: Span<'static>, cx: Context<'_>) -> Line<'static> {
    let Context { shared, theme, .. } = cx;
    let fault = &found.fault;
    let age =
        fault.failed.map_or_else(|| "-".to_owned(), |at| Age::of(at, shared.now.utc).to_string());
    let kind = fault.message_type.as_deref().unwrap_or("(no type)");
    let verdict = found.judgement.verdict;
    Line::from(vec![
        mark,
        Span::styled(text::fit(fault.key.as_str(), 14), theme.accent),
        Span::raw(text::fit(&age, 9)),
        Span::styled(text::fit(short(verdict), 11), style(verdict, theme)),
        Span::raw(text::clean(last(kind)).into_owned()),
    ])
}

fn group_line(group: &Group, mark: Span<'static>, cx: Context<'_>) -> Line<'static> {
    let Context { shared, theme, .. } = cx;

    let age =
        group.last.map_or_else(|| "-".to_owned(), |at| Age::of(at, shared.now.utc).to_string());
    let mut spans = vec![
        mark,
        Span::styled(format!("{:>5} ", group.count), theme.accent),
        Span::raw(text::fit(&age, 8)),
    ];
    for verdict in VERDICTS {
        let count = group.verdicts.get(&verdict).copied().unwrap_or_default();
        let told = if count == 0 { "-".to_owned() } else { count.to_string() };
        let style = if count == 0 { theme.muted } else { style(verdict, theme) };
        spans.push(Span::styled(format!("{told:>5}"), style));
    }
    spans.push(Span::raw(format!("  {}", text::clean(&failure(group, cx.shared.masked)))));
    Line::from(spans)
}

const VERDICTS: [Verdict; 4] =
    [Verdict::Done, Verdict::Waiting, Verdict::Unknown, Verdict::ProbableDuplicate];

/// What tells groups apart comes first: what does not fit is cut at the right.
fn failure(group: &Group, masked: bool) -> String {
    let kind = group.kind.to_string();
    let who = group.consumer.as_deref().map_or(kind.as_str(), last);
    let what = group.exception.as_deref().map_or("", last);
    [report::group_text(group, masked).as_ref(), what, who]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("  ")
}

/// `BookWorm.Ordering.Features.X` is `X`.
fn last(name: &str) -> &str {
    name.rsplit(['.', ':', '+']).next().unwrap_or(name)
}

const fn short(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Done => "done",
        Verdict::Waiting => "waiting",
        Verdict::Unknown => "unknown",
        Verdict::ProbableDuplicate => "duplicate?",
    }
}

const fn style(verdict: Verdict, theme: &Theme) -> Style {
    match verdict {
        Verdict::Done => theme.ok,
        Verdict::Waiting => theme.warn,
        Verdict::Unknown | Verdict::ProbableDuplicate => theme.danger,
    }
}

/// A name and its value, broken where the room ends.
fn field(name: &str, value: &str, style: Style, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let room = width.saturating_sub(body::LABEL).max(8);
    let lines = body::broken(value, room, MOST).into_iter().enumerate();
    let line = |(at, words): (usize, String)| {
        let name = if at == 0 { name } else { "" };
        let label = Span::styled(text::fit(name, body::LABEL), theme.muted);
        Line::from(vec![label, Span::styled(words, style)])
    };
    lines.map(line).collect()
}

fn group_lines(group: &Group, cx: Context<'_>, width: usize) -> Vec<Line<'static>> {
    let Context { shared, theme, .. } = cx;

    let time = |at: chrono::DateTime<chrono::Utc>| shared.zone.show(at, "%F %T");
    let all = |names: &std::collections::BTreeSet<String>| {
        names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    };
    let mut out = vec![];
    let fields = [
        ("messages", Some(group.count.to_string())),
        ("newest", group.last.map(time)),
        ("oldest", group.first.map(time)),
        ("kind", Some(group.kind.to_string())),
        ("consumer", group.consumer.clone()),
        ("exception", group.exception.clone()),
        (
            "message",
            Some(report::group_text(group, shared.masked).into_owned())
                .filter(|text| !text.is_empty()),
        ),
        ("types", Some(all(&group.types))),
        ("queues", Some(all(&group.queues))),
    ];
    for (name, value) in fields {
        let Some(value) = value else { continue };
        out.extend(field(name, &value, theme.text, theme, width));
    }
    for (verdict, means) in [
        (Verdict::Done, "every consumer has done it: harmless, discard it"),
        (Verdict::Waiting, "not done: a replay does the work for the first time"),
        (Verdict::Unknown, "may be done: never replayed in bulk"),
        (Verdict::ProbableDuplicate, "second of two deliveries, most likely: never in bulk"),
    ] {
        if let Some(count) = group.verdicts.get(&verdict) {
            let told = format!("{count}: {means}");
            out.extend(field(short(verdict), &told, style(verdict, theme), theme, width));
        }
    }
    out
}

fn message_lines(found: &FoundFault, cx: Context<'_>, width: usize) -> Vec<Line<'static>> {
    let Context { shared, theme, unfolded, .. } = cx;
    let fault = &found.fault;
    let read = report::shown(found, unfolded, shared.masked);
    let verdict = found.judgement.verdict;
    let mut out = field(
        "verdict",
        &format!("{verdict}: {}", found.judgement.why),
        style(verdict, theme),
        theme,
        width,
    );
    let home = match fault.origin() {
        Ok(home) => home.to_owned(),
        Err(why) => format!("unknown: {why}"),
    };
    let counted = |count: Option<i64>| count.map(|count| count.to_string());
    let fields = [
        ("queue", Some(fault.queue.clone())),
        ("from", Some(home)),
        ("failed", fault.failed.map(|at| shared.zone.show(at, "%F %T"))),
        ("type", fault.message_type.clone()),
        ("consumer", fault.consumer.clone()),
        ("exception", fault.exception.clone()),
        ("message", read.text),
        ("order", fault.order.map(|id| id.to_string())),
        ("message id", fault.message.map(|id| id.to_string())),
        ("retries", counted(fault.retries)),
        ("redelivered", counted(fault.redeliveries)),
        ("group", Some(found.fingerprint.to_string())),
    ];
    for (name, value) in fields {
        let Some(value) = value else { continue };
        out.extend(field(name, &value, theme.text, theme, width));
    }
    let fold = if unfolded { "J folds" } else { "J unfolds" };
    if !read.stack.is_empty() {
        out.push(Line::styled(format!("stack trace ({fold})"), theme.muted));
        out.extend(read.stack.iter().map(|frame| Line::raw(text::clean(frame).into_owned())));
        if read.folded > 0 {
            out.push(Line::styled(format!("… {} more frames", read.folded), theme.muted));
        }
    }
    if !read.headers.is_empty() {
        out.push(Line::styled("headers", theme.muted));
        out.extend(body::pretty(&Value::Object(read.headers)));
    }
    let covered = if shared.masked { ", personal data covered" } else { "" };
    out.push(Line::styled(format!("body, {} bytes ({fold}{covered})", fault.bytes), theme.muted));
    match read.envelope {
        Ok(value) => {
            out.extend(body::pretty(&if unfolded { value } else { body::folded(value) }));
        }
        Err(why) => out
            .push(Line::styled(format!("it is no envelope: {}", text::clean(&why)), theme.danger)),
    }
    out
}

/// What `i` tells.
const LEGEND: Legend = &[
    ("count", "messages that failed alike; newest: when the last of them did"),
    ("done", "its consumers have done it: nothing is lost with it"),
    ("wait", "not done: a replay does its work for the first time"),
    ("unkn", "it may be done: a replay may do its work again"),
    ("dupl", "most likely the second of two deliveries: the first may have done it"),
    ("+", "marked with Space (* all, v the others): x replays or discards just these"),
    ("replay", "x: to the queue it came from; of many only what waits"),
    ("discard", "x: out of its queue, a copy kept first; of many only what is done"),
    ("again", "unkn and dupl are replayed one by one only, with more to type"),
];
