//! `orderscope db …`: the private PostgreSQL.

use std::io::Write;

use super::{
    Outcome,
    args::{Db, Global, OutputArg, RunArgs},
    exit,
    open::tell,
    operation::{self, Ask},
};
use crate::{
    config::{self, Context, Settings},
    domain::report::{Cell, Form, Table},
    embedded::{self, Config, Progress},
    ops::operation::{Kind, Owner},
    session::{
        self,
        private::{PrivateWork, Task},
    },
};

#[allow(clippy::needless_pass_by_value, reason = "the embedded server hands its steps over")]
fn report(step: Progress) {
    tell(&step.to_string());
}

pub(super) async fn run(verb: Db, global: &Global, settings: &Settings) -> Outcome {
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
        Db::Reset { run, output } => {
            return work(&run, output, Task::Reset, config, global, settings).await;
        }
        Db::Url => writeln!(out, "{}", embedded::url(&config)?)?,
        Db::Upgrade { run, output } => {
            return work(&run, output, Task::Upgrade, config, global, settings).await;
        }
    }
    Ok(exit::FOUND)
}

/// Does it as an operation of context `local`, whatever database is configured: it is always about the private one.
async fn work(
    run: &RunArgs,
    output: OutputArg,
    task: Task,
    config: Config,
    global: &Global,
    settings: &Settings,
) -> Outcome {
    let context = Context {
        name: "local".to_owned(),
        production: false,
        target: crate::config::Target::Embedded,
    };
    let policy = session::policy(&context, settings, global.read_only);
    let place = config.home.display().to_string();
    let kind = match task {
        Task::Reset => Kind::ResetPrivate,
        Task::Upgrade => Kind::UpgradePrivate,
    };
    let log = config::state_dir().join("resets.jsonl");
    let work = Box::new(PrivateWork { task, config, report, log });
    let owner = Owner::private(global.operator.as_deref(), policy, place, work)?;
    operation::see_through_owning(Ask::new(run, output), &owner, kind).await
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
    Table { columns, rows: vec![row] }.print(form, &[], &mut std::io::stdout().lock())?;
    let runs = status.state == embedded::State::Running;
    Ok(if runs { exit::FOUND } else { exit::NOTHING })
}
