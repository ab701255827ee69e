//! `orderscope relay`: the relay as a program of its own.

use std::{path::PathBuf, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    Failure, Outcome, args, clock, exit, open,
    progress::{self, Reporter},
    signals,
};
use crate::{
    config::{self, Settings, Target},
    db::Db,
    domain::report::Form,
    domain::text,
    embedded,
    ops::delivery::figures,
    relay::{Broker, Management},
    servers::Servers,
    workers::{
        relay::{self, NobodyListens, Stats, Until},
        sampler,
    },
};

pub(super) async fn run(verb: args::Relay, global: &args::Global, settings: &Settings) -> Outcome {
    open::may_write(global, settings)?;
    let (url, password) = config::broker(verb.amqp_url.as_deref(), settings)?;
    let broker =
        Broker::parse(&url, password).map_err(|error| Failure::usage(error.to_string()))?;
    let (servers, lease) = open::own(global, settings).await?;
    let delivering = deliver(&verb, settings, &servers, broker);
    let ended = match &lease {
        Some(lease) => tokio::select! {
            ended = delivering => ended,
            never = lease.keep_running(&open::warned) => match never {},
        },
        None => delivering.await,
    };
    if let Some(lease) = lease {
        lease.leave().await?;
    }
    let stats = ended?;
    figures(&stats).print(Form::from(verb.output.output), &[], &mut std::io::stdout().lock())?;
    Ok(if stats.held.is_empty() { exit::FOUND } else { exit::PARTIAL })
}

async fn deliver(
    verb: &args::Relay,
    settings: &Settings,
    servers: &Servers,
    broker: Broker,
) -> Result<Stats, Failure> {
    let mut relay = self::settings(settings, servers, broker)?;
    relay.beside_service = verb.beside_service;
    let db = Db::new(servers, &relay.limits);
    let until = match (verb.once, verb.until_empty) {
        (true, _) => Until::Once,
        (_, true) => Until::Empty,
        _ => Until::Told,
    };
    if until == Until::Told {
        let most = text::counted(relay.unconfirmed, "message");
        progress::lines([format!(
            "if it is killed, at most {most} may arrive twice (relay.unconfirmed)"
        )]);
    }
    let (watch, stop) = (open::watch(settings), CancellationToken::new());
    // The history of what it delivers, and the end of copies' time, need no console.
    let sampling = async {
        if until != Until::Once {
            sampler::beside(&db, &watch, &stop).await;
        }
    };
    let delivering = async {
        let ended = drive(relay, until).await;
        stop.cancel();
        ended
    };
    let (ended, ()) = tokio::join!(delivering, sampling);
    db.close().await;
    ended
}

/// Runs a relay, reporting problems, until it ends or a signal comes.
pub(super) async fn drive(relay: relay::Settings, until: Until) -> Result<Stats, Failure> {
    let stop = CancellationToken::new();
    let (sender, receiver) = watch::channel(Stats::default());
    let clock = clock::handed();
    let work = Box::pin(relay::run(relay, until, clock, stop.clone(), sender));
    Ok(signals::see_through(work, &stop, tell(receiver)).await??)
}

/// A relay beside the console.
pub(super) struct Background {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    stats: watch::Receiver<Stats>,
}

/// How long the console waits at its end for the pass under way.
const ENDING: Duration = Duration::from_secs(3);

impl Background {
    /// Delivers from the private database while the console is open, where a broker is configured. Any
    /// other database has its own service, or a relay of its own.
    #[expect(clippy::disallowed_methods, reason = "it lives beside the console's loop, not in it")]
    pub(super) fn start(target: &Target, settings: &Settings) -> Result<Option<Self>, Failure> {
        if !matches!(target, Target::Embedded) {
            return Ok(None);
        }
        let (url, password) = match config::broker(None, settings) {
            Err(config::Error::NoBroker { .. }) => return Ok(None),
            named => named?,
        };
        let broker =
            Broker::parse(&url, password).map_err(|error| Failure::usage(error.to_string()))?;
        let stop = CancellationToken::new();
        let (sender, stats) = watch::channel(Stats::default());
        let task = tokio::spawn(beside(settings.clone(), broker, stop.clone(), sender));
        Ok(Some(Self { stop, task, stats }))
    }

    /// What it tells of itself, for the screen.
    pub(super) fn stats(&self) -> watch::Receiver<Stats> {
        self.stats.clone()
    }

    pub(super) async fn end(self) {
        self.stop.cancel();
        let abort = self.task.abort_handle();
        if tokio::time::timeout(ENDING, self.task).await.is_err() {
            abort.abort();
        }
    }
}

/// The screen belongs to the console: what it tells is for that one to show, what ends it goes into the log too.
async fn beside(
    settings: Settings,
    broker: Broker,
    stop: CancellationToken,
    stats: watch::Sender<Stats>,
) {
    let ended = |why: String| {
        tracing::warn!(why, "no relay in the background");
        stats.send_modify(|stats| stats.trouble = Some(why));
    };
    let config = embedded::Config::from_env();
    let joined = tokio::select! {
        joined = embedded::join(&config, &|_| ()) => joined,
        () = stop.cancelled() => return,
    };
    let lease = match joined {
        Ok(lease) => lease,
        Err(error) => return ended(error.to_string()),
    };
    let made = self::settings(&settings, &lease.options().into(), broker);
    let mut relay = match made {
        Ok(relay) => relay,
        Err(failure) => return ended(failure.message),
    };
    relay.in_background = true;
    let clock = clock::handed();
    if let Err(error) = relay::run(relay, Until::Told, clock, stop, stats.clone()).await {
        ended(error.to_string());
    }
    if let Err(error) = lease.leave().await {
        tracing::warn!(%error, "the private PostgreSQL was not left in an orderly way");
    }
}

/// A relay as the configuration wants it.
pub(super) fn settings(
    settings: &Settings,
    servers: &Servers,
    broker: Broker,
) -> Result<relay::Settings, Failure> {
    let file = &settings.file.relay;
    let mut relay = relay::Settings::new(servers.clone(), broker);
    relay.limits = open::limits(settings);
    relay.send_log = Some(send_log(servers));
    let days = |days: u32| Duration::from_secs(u64::from(days) * 86_400);
    relay.keep = Some(days(file.keep_days.unwrap_or(7)));
    // Copies are personal data in a service's database: only where someone asked for them.
    relay.copies = file.keep_days.filter(|kept| *kept > 0).map(days);
    relay.consumers.clone_from(&settings.consumers);
    let management = settings.file.errors.management.as_deref();
    relay.management = management.map(Management::parse).transpose()?;
    let most = &mut relay.most;
    most.message_bytes = settings.thresholds.largest;
    most.outboxes = file.outboxes.map_or(most.outboxes, |number| i64::from(number.max(1)));
    most.messages = file.messages.map_or(most.messages, |number| i64::from(number.max(1)));
    most.bytes = file.megabytes.map_or(most.bytes, |number| i64::from(number.max(1)) << 20);
    relay.unconfirmed = file.unconfirmed.map_or(relay.unconfirmed, usize::from);
    if file.hold_returned {
        relay.nobody_listens = NobodyListens::Hold;
    }
    Ok(relay)
}

/// One send log for every outbox table that is delivered from on this machine: what a relay, a drain or a console
/// leaves, another takes over.
fn send_log(servers: &Servers) -> PathBuf {
    let schema = servers.schemas.messages.as_ref().map_or(String::new(), |name| format!("/{name}"));
    let place = format!("{}{schema}", servers.place());
    let name: String =
        place.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    config::state_dir().join(format!("relay-{name}.journal"))
}

/// Tells what hinders it, and what nobody got or somebody perhaps twice.
async fn tell(mut stats: watch::Receiver<Stats>) {
    let mut reporter = Reporter::default();
    let mut named = 0;
    while stats.changed().await.is_ok() {
        let (hindered, warnings) = {
            let stats = stats.borrow_and_update();
            progress::lines(stats.doubts.iter().skip(named));
            named = stats.doubts.len();
            (stats.hindrances(), stats.warnings())
        };
        reporter.tell(&hindered, &warnings);
    }
}
