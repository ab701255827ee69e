//! Headless verbs: parse, call a use case, print a table, JSON or CSV; exit codes.

pub mod args;
mod ask;
mod audit;
mod broker_source;
mod card;
mod clock;
mod console;
mod consume;
mod db;
mod demo;
mod drain;
mod errors;
mod failure;
mod inbox;
mod input;
mod messages;
mod op;
mod open;
mod operation;
mod order;
mod order_command;
mod order_lookup;
mod orders;
mod outbox_action;
mod ownership;
mod progress;
mod relay;
mod signals;

use std::io::Write;

pub use failure::Failure;

use args::{Cli, Global, Output, Verb};
use clap::CommandFactory;

use crate::{
    config::{self, Environment, Given, Settings},
    domain::report::Form,
    ops::operation::OPERATIONS,
    session::exit,
};

impl From<Output> for Form {
    fn from(output: Output) -> Self {
        match output {
            Output::Table => Self::Table,
            Output::Json => Self::Json,
            Output::Csv => Self::Csv,
        }
    }
}

/// What a verb yields: its exit code.
pub type Outcome = Result<u8, Failure>;

/// Reports for errors and panics; see [`crate::tui::term::panic`].
///
/// # Errors
/// When they were installed before.
pub fn install_hooks() -> color_eyre::Result<()> {
    crate::tui::term::panic::install()
}

/// Runs what the command line asks for; yields the exit code.
///
/// # Errors
/// Only when the terminal itself fails; everything else is told on standard error.
pub async fn run(cli: Cli) -> color_eyre::Result<u8> {
    let outcome = match settings(&cli.global) {
        Ok(settings) => dispatch(cli, settings).await?,
        Err(failure) => Err(failure),
    };
    Ok(outcome.unwrap_or_else(|failure| {
        if !failure.message.is_empty() {
            // Standard error may be gone; there is nobody left to tell then.
            let told = config::without_passwords(&failure.message);
            let _ = writeln!(std::io::stderr(), "orderscope: {told}");
        }
        failure.code
    }))
}

async fn dispatch(cli: Cli, settings: Settings) -> color_eyre::Result<Outcome> {
    let global = &cli.global;
    Ok(match cli.verb {
        None => return console::open(global, &settings, None).await,
        Some(Verb::Open { link }) => return console::open(global, &settings, Some(&link)).await,
        Some(Verb::Orders(verb)) => orders::run(verb, global, &settings).await,
        // Boxed: commands hold much on their way.
        Some(Verb::Order(verb)) => Box::pin(order::run(verb, global, &settings)).await,
        Some(Verb::Op(verb)) => Box::pin(op::run(verb, global, &settings)).await,
        Some(Verb::Buyer(verb)) => Box::pin(order_command::buyer(verb, global, &settings)).await,
        Some(Verb::Audit(verb)) => audit::run(verb, global, &settings).await,
        Some(Verb::Attach(args)) => ownership::attach(&args, global, &settings).await,
        Some(Verb::HandOver(args)) => ownership::hand_over(&args, global, &settings).await,
        Some(Verb::Messages(verb)) => Box::pin(messages::run(verb, global, &settings)).await,
        Some(Verb::Inbox(verb)) => inbox::run(verb, global, &settings).await,
        Some(Verb::Relay(verb)) => Box::pin(relay::run(verb, global, &settings)).await,
        Some(Verb::Consume(verb)) => Box::pin(consume::run(verb, global, &settings)).await,
        Some(Verb::Errors(verb)) => Box::pin(errors::run(verb, global, &settings)).await,
        Some(Verb::Db(verb)) => Box::pin(db::run(verb, global, &settings)).await,
        Some(Verb::Migrate(args)) => ownership::migrate(&args, global, &settings).await,
        Some(Verb::Demo(verb)) => Box::pin(demo::run(verb, global, &settings)).await,
        Some(Verb::Completions { shell }) => completions(shell),
        Some(Verb::Man { verb }) => man(&verb),
    })
}

fn completions(shell: clap_complete::Shell) -> Outcome {
    let mut script = vec![];
    clap_complete::generate(shell, &mut Cli::command(), "orderscope", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(exit::FOUND)
}

fn man(verb: &[String]) -> Outcome {
    let mut command = Cli::command();
    command.build();
    for word in verb {
        let Some(below) = command.find_subcommand(word) else {
            return Err(Failure::usage(format!(
                "there is no verb {:?}; see --help",
                verb.join(" ")
            )));
        };
        command = below.clone();
    }
    let mut page = vec![];
    clap_mangen::Man::new(command).render(&mut page)?;
    std::io::stdout().write_all(&page)?;
    Ok(exit::FOUND)
}

fn settings(global: &Global) -> Result<Settings, Failure> {
    let mut settings = Settings::read(global.config.clone(), Environment::of_process())?;
    settings.check_allowed(&OPERATIONS.iter().map(|spec| spec.name).collect::<Vec<_>>())?;
    if let Some(zone) = &global.zone {
        settings.zone = config::zone(zone)?;
    }
    let private = settings.file.messages.consumers.is_empty()
        && config::choose(&given(global), &settings)
            .is_ok_and(|context| matches!(context.target, config::Target::Embedded));
    if private {
        // Whose data the private database has is known.
        settings.consumers.extend(crate::demo::consumers());
    }
    if let Some(log) = &global.log {
        crate::telemetry::to_file(log).map_err(Failure::usage)?;
    }
    Ok(settings)
}

fn given(global: &Global) -> Given {
    Given { url: global.database_url.clone().map(Into::into), context: global.context.clone() }
}
