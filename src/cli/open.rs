//! Opening the database for a verb, and making one ready.

use std::io::{IsTerminal, Write};

use super::{Failure, args::Global, clock, exit, given};
use crate::{
    config::{Context, Settings, Target, choose},
    db::Limits,
    domain::text::clean,
    embedded::{self, Lease},
    ops::{
        messages::{Sampling, Watch},
        operation::table,
    },
    servers::Servers,
    session::{self, Session},
};

/// Opens the configured database, and shows the slow steps on a terminal.
pub(super) async fn open(global: &Global, settings: &Settings) -> Result<Session, Failure> {
    let context = choose(&given(global), settings)?;
    if let Target::Server(server) = &context.target {
        warn(&server.servers)?;
    }
    let today = clock::now().date_naive();
    Ok(session::open(&context, &limits(settings), today, &|doing| tell(&doing)).await?)
}

/// A pass file that is ignored is told, as by psql, also where the login needs no password.
fn warn(servers: &Servers) -> Result<(), Failure> {
    if let Some(why) = &servers.login_hint {
        writeln!(std::io::stderr(), "orderscope: warning: {why}")?;
    }
    Ok(())
}

/// Time limits from the configuration.
pub(super) fn limits(settings: &Settings) -> Limits {
    let mut limits = Limits::default();
    if let Some(seconds) = settings.file.statement_timeout {
        limits.statement = std::time::Duration::from_secs(seconds.clamp(1, 600));
        limits.answer = limits.statement * 10;
    }
    limits
}

/// What the configuration says about watching messages.
pub(super) fn watch(settings: &Settings) -> Watch {
    let usual = Sampling::default();
    let sampling =
        Sampling { every: settings.sample_every.unwrap_or(usual.every), copies: settings.copies };
    let (thresholds, consumers) = (settings.thresholds.clone(), settings.consumers.clone());
    Watch { thresholds, consumers, sampling, by_hand: table::by_hand() }
}

/// Progress belongs to people, not to logs of scripts.
pub(super) fn tell(doing: &str) {
    let mut out = std::io::stderr();
    if out.is_terminal() {
        // Overwrites the line before; what cannot be shown is not needed.
        let _ = write!(out, "\r\x1b[2K{doing} …");
        if doing == "ready" {
            let _ = write!(out, "\r\x1b[2K");
        }
        let _ = out.flush();
    }
}

/// Tells a person what happened under a verb that runs for long.
pub(super) fn warned(told: String) {
    // Nobody may be listening any more; the work goes on.
    let _ = writeln!(std::io::stderr(), "{}", clean(&told));
}

/// Refuses where the command line or the context says that nothing is written.
pub(super) fn may_write(global: &Global, settings: &Settings) -> Result<(), Failure> {
    let context = choose(&given(global), settings)?;
    if session::policy(&context, settings, global.read_only).read_only {
        let message = format!("{} is read-only here; nothing was written", context.name);
        return Err(Failure { message, code: exit::REFUSED });
    }
    Ok(())
}

/// A session that may write, and what must be left at the end.
pub(super) async fn writable(
    global: &Global,
    settings: &Settings,
) -> Result<(sqlx::PgConnection, Option<Lease>), Failure> {
    let (servers, lease) = own(global, settings).await?;
    Ok((session::connect(&servers).await?, lease))
}

/// The servers for sessions of one's own, past any pooler, and what must be left at the end.
pub(super) async fn own(
    global: &Global,
    settings: &Settings,
) -> Result<(Servers, Option<Lease>), Failure> {
    let Context { target, .. } = choose(&given(global), settings)?;
    Ok(match target {
        Target::Server(server) => {
            let servers = server.direct.unwrap_or(server.servers);
            warn(&servers)?;
            (servers, None)
        }
        Target::Embedded => {
            let config = embedded::Config::from_env();
            let lease = embedded::join(&config, &|step| tell(&step.to_string())).await?;
            (lease.options().into(), Some(lease))
        }
    })
}
