//! The backlog of longer than the screen judges from, as samplers stored it.

use chrono::TimeDelta;

use super::{FAR, Request, State, Ticket};
use crate::{
    domain::backlog::Sample,
    tui::{effect::Effect, shared::Shared, ui::remote::Remote},
};

/// How far back the bars go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum HistoryRange {
    /// As far as rates are judged from: hours.
    #[default]
    Hours,
    Day,
    Week,
    Month,
    Year,
}

impl HistoryRange {
    const fn next(self) -> Self {
        match self {
            Self::Hours => Self::Day,
            Self::Day => Self::Week,
            Self::Week => Self::Month,
            Self::Month => Self::Year,
            Self::Year => Self::Hours,
        }
    }

    /// What has to be read for it.
    const fn length(self) -> Option<TimeDelta> {
        match self {
            Self::Hours => None,
            Self::Day => Some(TimeDelta::days(1)),
            Self::Week => Some(TimeDelta::days(7)),
            Self::Month => Some(TimeDelta::days(30)),
            Self::Year => Some(TimeDelta::days(366)),
        }
    }
}

/// Stored looks of longer than the screen judges from.
#[derive(Debug, Default)]
pub(super) struct StoredHistory {
    reach: HistoryRange,
    stored: Remote<Vec<Sample>, String>,
}

impl StoredHistory {
    /// The next reach; the first again after the longest.
    pub(super) fn turn(&mut self, shared: &Shared) -> Option<Effect<Request>> {
        self.reach = self.reach.next();
        self.stored.value = None;
        self.stored.error = None;
        self.stored.abandon();
        self.ask(shared)
    }

    /// Reads it again, if it goes further than what is judged from.
    pub(super) fn ask(&mut self, shared: &Shared) -> Option<Effect<Request>> {
        let within = self.reach.length()?;
        let ticket = self.stored.begin(shared.now.instant);
        Some(Effect::Run(FAR, Request::Stored { ticket, within }))
    }

    pub(super) fn read(
        &mut self,
        ticket: Ticket,
        result: Result<Vec<Sample>, String>,
        shared: &Shared,
    ) -> Option<Effect<Request>> {
        let told = result.as_ref().err().cloned();
        let taken = self.stored.settle(ticket, result, shared.now.instant);
        told.filter(|_| taken).map(Effect::Warn)
    }
}

impl State {
    /// The looks that the bars show: those that counted the backlog to its end.
    pub(super) fn looks(&self) -> Vec<Sample> {
        let own = self.samples.all();
        let stored = self.far.stored.value.as_deref().unwrap_or_default();
        let last = stored.last().map(|sample| sample.at);
        let newer = own.iter().filter(|sample| Some(sample.at) > last);
        stored.iter().chain(newer).filter(|sample| sample.pending.is_some()).copied().collect()
    }
}
