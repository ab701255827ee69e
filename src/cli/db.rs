//! `orderscope db …`: the private PostgreSQL.

use std::io::{BufRead, IsTerminal, Write};

use super::{Failure, Outcome, args::Db, exit, open::tell};
use crate::{
    domain::report::{Cell, Form, Table},
    embedded::{self, Config, Progress},
    session,
};

#[allow(clippy::needless_pass_by_value, reason = "the embedded server hands its steps over")]
fn report(step: Progress) {
    tell(&step.to_string());
}

pub(super) async fn run(verb: Db) -> Outcome {
    let config = Config::from_env();
    let mut out = std::io::stdout();
    match verb {
        Db::Start => {
            let started = embedded::start(&config, &report).await?;
            let how = if started.already { "was running" } else { "is running" };
            writeln!(out, "the private PostgreSQL {how} and stays so until `orderscope db stop`")?;
            writeln!(out, "{}", started.url)?;
        }
        Db::Stop { force } => {
            let stopped = embedded::stop(&config, force, &report).await?;
            writeln!(
                out,
                "{}",
                if stopped.was_running { "stopped" } else { "it was not running" }
            )?;
        }
        Db::Status { output } => return status(&config, Form::from(output.output)).await,
        Db::Reset { yes } => {
            if !yes && !confirmed(&config)? {
                return Err(Failure {
                    message: "nothing was removed".to_owned(),
                    code: exit::REFUSED,
                });
            }
            let reset = embedded::reset(&config, false, &report).await?;
            let told = if reset.existed { "removed" } else { "there was nothing to remove" };
            writeln!(out, "{told}")?;
        }
        Db::Url => writeln!(out, "{}", embedded::url(&config)?)?,
        Db::Upgrade => {
            let upgraded = embedded::upgrade(&config, &prepare, &report).await?;
            if upgraded.from == upgraded.to {
                writeln!(
                    out,
                    "it is PostgreSQL {} already; nothing newer was found",
                    upgraded.from
                )?;
            } else {
                let embedded::Upgraded { from, to, tables, rows, .. } = &upgraded;
                writeln!(
                    out,
                    "moved from PostgreSQL {from} to {to}: {tables} tables, {rows} rows"
                )?;
            }
            if !upgraded.roles.is_empty() {
                let roles = upgraded.roles.join(", ");
                writeln!(out, "roles are not copied; make these again: {roles}")?;
            }
        }
    }
    Ok(exit::FOUND)
}

fn prepare(conn: &mut sqlx::PgConnection) -> embedded::Prepared<'_> {
    Box::pin(async move { session::migrate(conn).await.map(drop).map_err(Into::into) })
}

/// The word must be typed; a script says `--yes`.
fn confirmed(config: &Config) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(
            "db reset removes everything in the private database; say --yes",
        ));
    }
    let mut err = std::io::stderr();
    let home = config.home.display();
    write!(err, "This removes the private database in {home} for good. Type RESET to go on: ")?;
    err.flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim() == "RESET")
}

async fn status(config: &Config, form: Form) -> Outcome {
    let status = embedded::status(config).await?;
    let number = |value: Option<i64>| value.map_or(Cell::None, Cell::number);
    let row = vec![
        Cell::Text(format!("{:?}", status.state).to_lowercase()),
        Cell::maybe(status.version.clone()),
        number(status.major.map(i64::from)),
        number(status.size),
        number(status.sessions),
        Cell::Text(status.home.display().to_string()),
        Cell::Text(status.log.display().to_string()),
        Cell::Text(status.url.clone()),
    ];
    let columns = vec!["state", "version", "major", "bytes", "sessions", "home", "log", "url"];
    Table { columns, rows: vec![row] }.print(form, &mut std::io::stdout().lock())?;
    let runs = status.state == embedded::State::Running;
    Ok(if runs { exit::FOUND } else { exit::NOTHING })
}
