//! Replaying and discarding messages of error queues.

use std::{cmp::Reverse, collections::BTreeMap, fmt::Write, slice, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::super::{
    check::{Check, Verdict},
    context::Context,
    error::PlanError,
    messages::Messages,
    outcome::{Outcome, Progress},
    plan::{Effect, Listed, Needed, Plan, PlanRequest, Steps},
    record::{Recorded, on_record},
    value::{ErrorWork, RATE},
    writer::Writer,
};
use crate::{
    domain::{
        fault::{Fault, Judgement, Key, Verdict as Judged},
        text::counted,
    },
    ops::{
        Clock,
        error_queue::{
            self, ErrorAction, Judge, Knowledge, Pick, Scope, TableKeep, Work, choose, report,
        },
        policy::Policy,
    },
};

/// So many messages are named in a title, and so many that may do work again in the checks.
const NAMED: usize = 3;

/// So many messages a second at most; none: as fast as it goes.
fn rate(work: &ErrorWork) -> Option<u16> {
    match work.action {
        ErrorAction::Replay => Some(work.rate.unwrap_or(RATE).max(1)),
        ErrorAction::Discard => work.rate.map(|rate| rate.max(1)),
    }
}

/// Between two messages.
pub(super) fn pause(work: &ErrorWork) -> Duration {
    rate(work).map_or(Duration::ZERO, |rate| Duration::from_nanos(1_000_000_000 / u64::from(rate)))
}

pub(super) fn title(work: &ErrorWork) -> String {
    let action = work.action;
    match &work.pick {
        Pick::Keys { keys, .. } if keys.len() > NAMED => {
            format!("{action} {}", counted(keys.len(), "message"))
        }
        Pick::Keys { keys, .. } => {
            let keys: Vec<_> = keys.iter().map(|key| brief(key)).collect();
            format!("{action} message {}", keys.join(", "))
        }
        Pick::Group(group) => format!("{action} group {group}"),
        Pick::All => format!("{action} everything that is safe"),
    }
}

pub(super) fn options(work: &ErrorWork) -> Vec<String> {
    let mut out = match &work.pick {
        Pick::Keys { keys, .. } => keys.clone(),
        Pick::Group(group) => vec!["--group".to_owned(), group.clone()],
        Pick::All => vec!["--all".to_owned()],
    };
    if let (ErrorAction::Replay, Pick::Keys { again: true, .. }) = (work.action, &work.pick) {
        out.push("--run-again".to_owned());
    }
    let usual = (work.action == ErrorAction::Replay).then_some(RATE);
    if let Some(rate) = rate(work).filter(|rate| Some(*rate) != usual) {
        out.extend(["--rate".to_owned(), rate.to_string()]);
    }
    out
}

/// Looks into the queues and chooses. Everything is given back.
pub(super) async fn plan(
    ctx: &Context<'_>,
    request: &PlanRequest,
    work: &ErrorWork,
    stop: &CancellationToken,
) -> Result<Plan, PlanError> {
    let (source, writer, now) = (&ctx.broker()?.source, ctx.writer()?, ctx.now());
    let (broker, scope) = (&source.broker, &source.scope);
    let looking = error_queue::list(broker, &writer.db, writer.layout(), scope, now, stop);
    let listing = looking.await?;
    let choice = choose(&listing.found, &work.pick, work.action)?;
    let chosen = Work {
        action: work.action,
        choice,
        pause: pause(work),
        limits: scope.limits,
        management: scope.management.clone(),
    };
    Ok(plan_of(request, work, chosen, &listing.told(), ctx.policy(), now))
}

/// The plan that a choice comes to. `notes`: what could not be looked at.
#[must_use]
pub fn plan_of(
    request: &PlanRequest,
    work: &ErrorWork,
    chosen: Work,
    notes: &[String],
    policy: &Policy,
    now: DateTime<Utc>,
) -> Plan {
    let action = work.action;
    let title = match chosen.choice.chosen.as_slice() {
        [one] => format!("{action} message {} of {}", brief(one.key.as_str()), one.queue),
        all => format!("{action} {} of error queues", counted(all.len(), "message")),
    };
    let again = action == ErrorAction::Replay
        && chosen.choice.chosen.iter().any(|one| one.verdict.may_repeat());
    Plan {
        title,
        checks: checks(&chosen, notes),
        effects: effects(work, &chosen),
        listed: listed(&chosen),
        cli_equivalent: request.cli_equivalent(None, policy, again),
        confirmation: Needed::new(request.spec(), policy, again),
        ..Plan::new(request, policy, now, Steps::BrokerMessages(Messages::Errors(chosen)))
    }
}

fn brief(key: &str) -> String {
    key.chars().take(10).collect()
}

fn checks(work: &Work, notes: &[String]) -> Vec<Check> {
    use Verdict as V;
    let Work { action, choice, .. } = work;
    let mut out = vec![];
    if choice.chosen.is_empty() {
        // What was meant and may not be taken is refused; where nothing was meant, there is nothing.
        let verdict = if choice.left.is_empty() { V::Nothing } else { V::Blocking };
        out.push(Check::new(verdict, format!("none of these may be {}", action.past())));
    } else {
        let judged =
            "each is judged by the inbox again just before; one whose verdict changed is left";
        out.push(Check::new(V::Ok, judged));
    }
    if *action == ErrorAction::Replay {
        let repeats: Vec<_> = choice.chosen.iter().filter(|one| one.verdict.may_repeat()).collect();
        for one in repeats.iter().take(NAMED) {
            let key = brief(one.key.as_str());
            let told = format!("{key} may do its work again: {}: {}", one.verdict, one.why);
            out.push(Check::new(V::Warn, told));
        }
        if repeats.len() > NAMED {
            let told = format!("{} more may do their work again", repeats.len() - NAMED);
            out.push(Check::new(V::Warn, told));
        }
        let done = choice.chosen.iter().filter(|one| one.verdict == Judged::Done).count();
        if done > 0 {
            let told = format!("{} done already: a replay is needless", counted(done, "message"));
            out.push(Check::new(V::Warn, told));
        }
    }
    out.extend(notes.iter().map(|note| Check::new(V::Warn, note.clone())));
    out
}

/// Queue by queue, then what is left where it is.
fn effects(asked: &ErrorWork, work: &Work) -> Vec<Effect> {
    let mut ways: BTreeMap<(&str, Option<&str>), usize> = BTreeMap::new();
    for one in &work.choice.chosen {
        *ways.entry((&one.queue, one.home.as_deref())).or_default() += 1;
    }
    let way = |((queue, home), count): ((&str, Option<&str>), usize)| {
        let messages = counted(count, "message");
        let pace =
            rate(asked).map_or_else(String::new, |rate| format!(", at most {rate} a second"));
        let told = match (work.action, home) {
            (ErrorAction::Replay, Some(home)) => format!("{messages} to {home}{pace}"),
            _ => format!("{messages} out, a copy of each kept first{pace}"),
        };
        Effect::told(queue.to_owned(), told)
    };
    let mut out: Vec<_> = ways.into_iter().map(way).collect();
    out.extend(reasons(&work.choice.left).map(|told| Effect::told("left", told)));
    out
}

/// `2 messages: done: there is nothing left to replay; discard it`, the most frequent first.
fn reasons<'a>(left: impl IntoIterator<Item = &'a (Key, String)>) -> impl Iterator<Item = String> {
    let mut whys: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, why) in left {
        *whys.entry(why).or_default() += 1;
    }
    let mut whys: Vec<_> = whys.into_iter().map(|(why, count)| (count, why.to_owned())).collect();
    whys.sort_by_key(|(count, _)| Reverse(*count));
    whys.into_iter().map(|(count, why)| format!("{}: {why}", counted(count, "message")))
}

fn listed(work: &Work) -> Vec<Listed> {
    let chosen = work.choice.chosen.iter().map(|one| {
        let way = match (work.action, &one.home) {
            (ErrorAction::Replay, Some(home)) => format!("{} → {home}", one.queue),
            _ => format!("{} → kept", one.queue),
        };
        Listed::message(one.key.as_str(), format!("{way}\n{}: {}", one.verdict, one.why))
    });
    let left = work.choice.left.iter();
    let left =
        left.map(|(key, why)| Listed::message(key.as_str(), format!("left where it is\n{why}")));
    chosen.chain(left).collect()
}

/// Does it, one after the other.
pub(super) async fn run(
    ctx: &Context<'_>,
    plan: &Plan,
    work: &Work,
    progress: &watch::Sender<Progress>,
    stop: &CancellationToken,
) -> Result<Outcome, PlanError> {
    let (source, writer, chosen) = (&ctx.broker()?.source, ctx.writer()?, &work.choice.chosen);
    let targets: Vec<_> =
        chosen.iter().filter_map(|chosen| Some(chosen.message?.to_string())).collect();
    let mut keep = TableKeep::new(&writer.pool, plan.request.id);
    let judging = Judging {
        writer,
        clock: &ctx.clock,
        progress,
        scope: &source.scope,
        begun: 0,
        of: u64::try_from(chosen.len()).unwrap_or(u64::MAX),
    };
    let ended = on_record(ctx, plan, targets.clone(), &meant(work), async || {
        let ended = error_queue::run(&source.broker, work, &mut keep, judging, stop).await;
        let became = match &ended {
            Ok(outcome) => report::outcome_value(outcome),
            Err(error) => json!({ "stopped": error.to_string() }),
        };
        (became, ended.map_err(PlanError::from))
    })
    .await?;
    Ok(Outcome { targets, ..outcome(&plan.request, work, &ended) })
}

/// Asks the inbox about each message, and tells how far it is.
struct Judging<'a> {
    writer: &'a Writer,
    clock: &'a Clock,
    progress: &'a watch::Sender<Progress>,
    scope: &'a Scope,
    begun: u64,
    of: u64,
}

impl Judge for Judging<'_> {
    async fn judge(&mut self, fault: &Fault) -> Judgement {
        let Self { writer, clock, progress, .. } = self;
        // Asked just before each message: those before it have ended.
        progress.send_replace(Progress { done: self.begun, of: self.of, ..Progress::default() });
        self.begun += 1;
        let (now, faults, scope) = (clock(), slice::from_ref(fault), self.scope);
        let never = CancellationToken::new();
        let asked = writer.db.read("errors", &never, async |conn| {
            error_queue::knowledge(conn, writer.layout(), faults, scope, now).await
        });
        asked.await.unwrap_or_else(|_| Knowledge::unread(scope)).judge(fault, now)
    }
}

fn meant(work: &Work) -> Value {
    let one = |chosen: &error_queue::Chosen| {
        json!({
            "key": chosen.key.as_str(),
            "queue": chosen.queue,
            "home": chosen.home,
            "message": chosen.message,
            "verdict": chosen.verdict.to_string(),
            "why": chosen.why,
        })
    };
    work.choice.chosen.iter().map(one).collect()
}

/// What it came to, in words.
pub(super) fn outcome(
    request: &PlanRequest,
    work: &Work,
    ended: &Recorded<error_queue::Outcome>,
) -> Outcome {
    let error_queue::Outcome { done, left, gone, stopped } = &ended.outcome;
    // What was refused when it was planned is no news.
    let news: Vec<_> = left.iter().filter(|one| !work.choice.left.contains(one)).collect();
    let mut told = format!("{} {}", counted(done.len(), "message"), work.action.past());
    if stopped.is_some() {
        told = format!("stopped: {told}");
    }
    if !news.is_empty() {
        let _ = write!(told, ", {} left where they are", news.len());
    }
    let mut more: Vec<_> = reasons(news.iter().copied()).collect();
    if !gone.is_empty() {
        more.push(format!("{} no longer in its queue", counted(gone.len(), "message")));
    }
    // Among the reasons already where anything was left for it.
    let known = |why: &String| more.iter().any(|line| line.ends_with(why.as_str()));
    let why = stopped.clone().filter(|why| !known(why));
    more.extend(why);
    if !work.choice.left.is_empty() {
        more.push(format!("{} left as planned", counted(work.choice.left.len(), "message")));
    }
    more.extend(ended.doubt());
    Outcome {
        more,
        partly: stopped.is_some() || !left.is_empty(),
        items: Some(report::outcome(&ended.outcome, work.action)),
        ..Outcome::new(request, Some(ended.audit), told)
    }
}
