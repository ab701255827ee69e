//! The inbox as a list of the screen: its rows, what each consumer's add up to, and a day of them hour by hour.

use std::sync::Arc;

use chrono::TimeDelta;
use ratatui::text::{Line, Span};

use super::{Effects, InboxRow, Lane, Pane, Past, Request, State, Sub, Ticket};
use crate::{
    db,
    domain::{
        age::Age,
        diagnosis::Rule,
        id::{ConsumerId, MessageId},
        text,
        text::thousands,
    },
    ops::messages::{
        Day,
        list::{HOURS, Hour, InboxView},
        report::{inbox_note, percentiles, published},
    },
    tui::{
        effect::Effect,
        shared::Shared,
        ui::{remote::Remote, theme::Theme},
        words,
    },
};

const HOURLY: Lane = Lane::Latest("messages.hours");
/// Above the rows where there is room.
pub(super) const HEADER: &str =
    "  msg    consumer            received        passes  lag       note";
/// Where there are none.
pub(super) const EMPTY: &str = "no consumer received anything, or it was cleaned up";
const SHADES: [char; 5] = ['·', '░', '▒', '▓', '█'];

/// Which rows are listed, and whether the day is shown beside them.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    pub(super) view: InboxView,
    /// The message whose row the cursor is to go to, once the rows are there.
    pub(super) wanted: Option<MessageId>,
    /// The list begins at this message's row, which is further down than a page.
    pub(super) from: Option<MessageId>,
    /// The map of hours in place of the sums.
    pub(super) by_hour: bool,
    day: Remote<Arc<Day>, db::Error>,
}

impl Inbox {
    pub(super) fn title(&self) -> String {
        let view = match self.view {
            InboxView::All => "Inbox",
            InboxView::Failing => "Inbox: not handled",
            InboxView::HalfDone => "Inbox: half-done",
            InboxView::Duplicates => "Inbox: received again",
        };
        match self.from {
            Some(message) => format!("{view}, from {} on (Esc: all)", message.short()),
            None if self.view == InboxView::All => view.to_owned(),
            None => format!("{view} (Esc: all)"),
        }
    }

    /// Shows rows of this kind, with the cursor on a message's, or on the first.
    pub(super) const fn turn_to(&mut self, view: InboxView, wanted: Option<MessageId>) {
        self.view = view;
        self.wanted = wanted;
        self.from = None;
    }

    /// Back to all rows; whether there were fewer.
    pub(super) fn widen(&mut self) -> bool {
        let narrow = self.view != InboxView::All || self.from.is_some();
        self.turn_to(InboxView::All, None);
        narrow
    }

    /// The verb that shows the same.
    pub(super) fn cli_equivalent(&self) -> String {
        match (self.by_hour, self.view) {
            (true, _) => "orderscope inbox hours".to_owned(),
            (false, InboxView::All) => "orderscope inbox list".to_owned(),
            (false, view) => format!("orderscope inbox list --view {}", view.name()),
        }
    }

    /// What is said where nothing is listed.
    pub(super) const fn empty(&self) -> &'static str {
        match self.view {
            InboxView::All => EMPTY,
            InboxView::Failing => "nothing has waited for longer than messages.held_after",
            InboxView::HalfDone => "nothing is half-done",
            InboxView::Duplicates => "nothing that is kept here was received again",
        }
    }

    /// What the day is read again for, while it is shown.
    pub(super) fn ask(&mut self, shared: &Shared) -> Option<Effect<Request>> {
        let wanted = self.by_hour && self.day.loading_since().is_none();
        wanted.then(|| {
            Effect::Run(HOURLY, Request::Day { ticket: self.day.begin(shared.now.instant) })
        })
    }

    pub(super) fn read(
        &mut self,
        ticket: Ticket,
        result: Result<Arc<Day>, db::Error>,
        shared: &Shared,
    ) {
        self.day.settle(ticket, result, shared.now.instant);
    }
}

/// The view a key asks for; asked for again, the one after, or all.
pub(super) const fn after(now: InboxView, key: InboxView) -> InboxView {
    match (now, key) {
        (InboxView::Failing, InboxView::Failing) => InboxView::HalfDone,
        (InboxView::HalfDone, InboxView::Failing)
        | (InboxView::Duplicates, InboxView::Duplicates) => InboxView::All,
        _ => key,
    }
}

/// The rows that a rule is about.
pub(super) const fn of_rule(rule: Rule) -> InboxView {
    match rule {
        Rule::HalfDone => InboxView::HalfDone,
        Rule::Failing => InboxView::Failing,
        Rule::Duplicates => InboxView::Duplicates,
        _ => InboxView::All,
    }
}

/// The rows are there: the cursor goes to the one that is looked for. If it is further down, the list begins there.
pub(super) fn arrived(state: &mut State, shared: &Shared) -> Effects {
    let Some(wanted) = state.inbox.wanted.take() else { return vec![] };
    match state.rows.inbox.iter().position(|row| row.message == wanted) {
        Some(at) => {
            state.cursor.index = at;
            vec![]
        }
        None if state.inbox.from.is_none() && state.rows.more => {
            state.inbox.from = Some(wanted);
            state.inbox.wanted = Some(wanted);
            vec![super::update::ask(state, false, shared)]
        }
        None => {
            state.inbox.from = None;
            let told = format!("message {} is not in this list any more", wanted.short());
            vec![Effect::Warn(told)]
        }
    }
}

/// Shows the day in place of the sums, or the sums again.
pub(super) fn turn(state: &mut State, shared: &Shared) -> Effects {
    state.inbox.by_hour = !state.inbox.by_hour;
    state.pane = if state.inbox.by_hour { Pane::Detail } else { Pane::List };
    state.detail_offset = 0;
    let mut effects = vec![];
    if state.sub != Sub::Inbox {
        state.pivot = None;
        state.filter = None;
        effects = super::update::show(state, Sub::Inbox, shared);
    }
    effects.extend(state.inbox.ask(shared));
    effects
}

fn name(state: &State, consumer: ConsumerId) -> String {
    let known = state.status().into_iter().flat_map(|status| &status.facts.inbox.consumers);
    let found = known.into_iter().find(|one| one.consumer == consumer);
    found.map_or_else(|| consumer.short(), |one| one.name.clone())
}

/// One row of the list.
pub(super) fn line(
    row: &InboxRow,
    state: &State,
    mark: Span<'static>,
    roomy: bool,
    shared: &Shared,
    theme: &Theme,
) -> Line<'static> {
    let name = name(state, row.consumer);
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
pub(super) fn consumers(state: &State, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let Some(status) = state.status() else { return vec![] };
    let inbox = &status.facts.inbox;
    let mut out = vec![];
    let (exact, estimated, share) = inbox.duplicates();
    let share = share.map_or_else(String::new, |share| format!(" ({share:.1}%)"));
    out.push(Line::raw(format!("{} in the last hour", inbox.last_hour)));
    out.push(Line::raw(format!("duplicates {exact} exact, {estimated} estimated{share}")));
    let told = format!("publish latency {}", published(status.facts.published));
    out.extend(words::wrapped(&told, width, 2).into_iter().map(Line::raw));
    if let Some(Past::Stored(history)) = &state.kept
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

/// A line of shades for each consumer: an hour each, the one that runs at the right.
pub(super) fn by_hour(
    state: &State,
    shared: &Shared,
    theme: &Theme,
    width: usize,
) -> Vec<Line<'static>> {
    let day = &state.inbox.day;
    let mut out = vec![];
    if let Some(error) = &day.error {
        let told = format!("Not refreshed: {error}");
        out.push(Line::styled(text::clean(&told).into_owned(), theme.danger));
    }
    let Some(day) = &day.value else {
        if out.is_empty() {
            out.push(Line::styled("reading …", theme.muted));
        }
        return out;
    };
    let most = day.hours.iter().map(|hour| hour.received).max().unwrap_or(0);
    // Two columns an hour where they fit.
    let wide = if width >= 2 * usize::try_from(HOURS).unwrap_or(0) { 2 } else { 1 };
    let mut consumers: Vec<ConsumerId> = vec![];
    for hour in &day.hours {
        if !consumers.contains(&hour.consumer) {
            consumers.push(hour.consumer);
        }
    }
    for consumer in consumers {
        let own: Vec<&Hour> = day.hours.iter().filter(|hour| hour.consumer == consumer).collect();
        let sum = |of: fn(&Hour) -> i64| own.iter().map(|hour| of(hour)).sum::<i64>();
        let (received, again, open) =
            (sum(|hour| hour.received), sum(|hour| hour.again), sum(|hour| hour.open));
        out.push(Line::styled(text::cut(&name(state, consumer), width), theme.title));
        let cells = (0..HOURS).map(|number| {
            let at = day.from + TimeDelta::hours(number);
            cell(own.iter().find(|hour| hour.at == at).copied(), most, wide, theme)
        });
        out.push(Line::from(cells.collect::<Vec<_>>()));
        let told = format!(
            "{} received, {} again, {} not done",
            thousands(received),
            thousands(again),
            thousands(open)
        );
        out.push(Line::styled(text::cut(&told, width), theme.muted));
        out.push(Line::default());
    }
    if out.is_empty() {
        out.push(Line::styled("nothing was received in the last 24 hours", theme.muted));
        return out;
    }
    let clock = |hour: i64| shared.zone.show(day.from + TimeDelta::hours(hour), "%H:%M");
    let step = if wide == 2 { 4 } else { 8 };
    let every = usize::try_from(step).unwrap_or(4) * wide;
    let axis: String =
        (0..HOURS / step).map(|number| text::fit(&clock(number * step), every)).collect();
    out.push(Line::styled(axis, theme.muted));
    for told in [
        format!("· none  ░▒▓█ up to {} an hour", thousands(most)),
        "+ some received again  ! some not done".to_owned(),
    ] {
        out.push(Line::styled(text::cut(&told, width), theme.muted));
    }
    out
}

/// What is wrong in an hour stands in it as a sign; colour only repeats it.
fn cell(hour: Option<&Hour>, most: i64, wide: usize, theme: &Theme) -> Span<'static> {
    let Some(hour) = hour else {
        return Span::styled(SHADES[0].to_string().repeat(wide), theme.muted);
    };
    let level = ((hour.received * 4 + most.max(1) - 1) / most.max(1)).clamp(1, 4);
    let shade = SHADES[usize::try_from(level).unwrap_or(1)];
    let (sign, style) = match (hour.open, hour.again) {
        (1.., _) => ('!', theme.danger),
        (_, 1..) => ('+', theme.warn),
        _ => (shade, theme.accent),
    };
    let mut told = shade.to_string().repeat(wide - 1);
    told.push(sign);
    Span::styled(told, style)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_key_asked_again_goes_on_and_then_back_to_all() {
        use InboxView::{All, Duplicates, Failing, HalfDone};
        assert_eq!(after(All, Failing), Failing);
        assert_eq!(after(Failing, Failing), HalfDone);
        assert_eq!(after(HalfDone, Failing), All);
        assert_eq!(after(Failing, Duplicates), Duplicates);
        assert_eq!(after(Duplicates, Duplicates), All);
        assert_eq!(after(Duplicates, Failing), Failing);
    }

    #[test]
    fn an_hour_is_shaded_by_what_came_and_signed_by_what_is_wrong() {
        let hour = |received, again, open| Hour {
            consumer: ConsumerId(Uuid::nil()),
            at: DateTime::UNIX_EPOCH,
            received,
            again,
            open,
        };
        let told = |hour: Hour, wide| cell(Some(&hour), 8, wide, &Theme::MONO).content.into_owned();
        assert_eq!(told(hour(1, 0, 0), 2), "░░");
        assert_eq!(told(hour(3, 0, 0), 1), "▒");
        assert_eq!(told(hour(8, 0, 0), 2), "██");
        assert_eq!(told(hour(8, 2, 0), 2), "█+");
        assert_eq!(told(hour(8, 2, 1), 1), "!");
        assert_eq!(cell(None, 8, 2, &Theme::MONO).content, "··");
    }
}
