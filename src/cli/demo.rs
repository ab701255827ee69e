//! `orderscope demo …`

use std::io::Write;

use super::{
    Failure, Outcome,
    args::{Demo, Global, ScenarioName},
    clock, exit, open,
};
use crate::{
    config::{self, Settings},
    demo::{
        self,
        scenario::{self, Planted, Refused, Scenario},
    },
    domain::report::{Cell, Form, Table},
    relay::Broker,
    session,
};

pub(super) async fn run(verb: Demo, global: &Global, settings: &Settings) -> Outcome {
    match verb {
        Demo::Load { orders, seed, years, until, replace } => {
            let until = until.unwrap_or_else(|| clock::now().date_naive());
            let years = u32::from(years);
            let options = demo::Options { orders: u64::from(orders), seed, years, until };
            load(options, replace, global, settings).await
        }
        Demo::Scenario { name, amqp_url } => {
            let broker = broker(amqp_url.as_deref(), settings)?;
            plant(scenario_of(name), broker.as_ref(), global, settings).await
        }
        Demo::Heal { amqp_url } => {
            let broker = broker(amqp_url.as_deref(), settings)?;
            heal(broker.as_ref(), global, settings).await
        }
        Demo::Troubles { output } => troubles(Form::from(output.output), global, settings).await,
    }
}

async fn load(
    options: demo::Options,
    replace: bool,
    global: &Global,
    settings: &Settings,
) -> Outcome {
    open::may_write(global, settings)?;
    let (mut conn, lease) = open::writable(global, settings).await?;
    let done = async {
        session::migrate(&mut conn).await?;
        let progress = |step| open::tell(&session::demo_progress(&step));
        let loaded = demo::load(&mut conn, options, replace, progress).await;
        loaded.map_err(session::Error::Demo)
    }
    .await;
    if let Some(lease) = lease {
        lease.leave().await?;
    }
    let loaded = done.map_err(Failure::from)?;
    open::tell("ready");
    let demo::Loaded { orders, lines, buyers, events, .. } = loaded;
    writeln!(
        std::io::stdout(),
        "{orders} orders, {lines} lines, {buyers} buyers, {events} events"
    )?;
    Ok(exit::FOUND)
}

const fn scenario_of(name: ScenarioName) -> Scenario {
    match name {
        ScenarioName::OutboxStall => Scenario::OutboxStall,
        ScenarioName::Poison => Scenario::Poison,
        ScenarioName::BrokerDown => Scenario::BrokerDown,
        ScenarioName::Duplicates => Scenario::Duplicates,
        ScenarioName::HalfDone => Scenario::HalfDone,
        ScenarioName::ErrorQueue => Scenario::ErrorQueue,
    }
}

/// The broker, where one is named; most scenarios need none.
fn broker(url: Option<&str>, settings: &Settings) -> Result<Option<Broker>, Failure> {
    match config::broker(url, settings) {
        Ok((url, password)) => Ok(Some(Broker::parse(&url, password)?)),
        Err(config::Error::NoBroker { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn plant(
    scenario: Scenario,
    broker: Option<&Broker>,
    global: &Global,
    settings: &Settings,
) -> Outcome {
    let work = async |conn: &mut sqlx::PgConnection| scenario::plant(conn, scenario, broker).await;
    let planted = training(global, settings, work);
    let mut out = std::io::stdout();
    match planted.await? {
        Planted::Now { received, faults, .. } if faults > 0 => {
            writeln!(out, "{}: {}", scenario.name(), scenario.what())?;
            let queues =
                demo::consumers().map(|consumer| format!(" --queue {}_error", consumer.queue));
            writeln!(
                out,
                "planted {faults} messages in error queues, {received} inbox rows; look with `orderscope errors \
                 list{}`, end with `orderscope demo heal`",
                queues.concat()
            )?;
        }
        Planted::Now { outboxes, messages, received, .. } => {
            writeln!(out, "{}: {}", scenario.name(), scenario.what())?;
            writeln!(
                out,
                "planted {outboxes} outboxes, {messages} messages, {received} inbox rows; look with \
                 `orderscope messages status`, end with `orderscope demo heal`"
            )?;
        }
        Planted::Already => writeln!(
            out,
            "{} is planted already, nothing was changed; `orderscope demo heal` takes it out",
            scenario.name()
        )?,
    }
    Ok(exit::FOUND)
}

async fn heal(broker: Option<&Broker>, global: &Global, settings: &Settings) -> Outcome {
    let work = async |conn: &mut sqlx::PgConnection| scenario::heal(conn, broker).await;
    let healed = training(global, settings, work).await?;
    let mut out = std::io::stdout();
    match healed {
        Some(healed) if healed.planted > 0 => {
            let scenario::Healed { name, rows, messages, planted } = healed;
            writeln!(
                out,
                "{name}: healed, {messages} of its {planted} messages taken out of the queues, {rows} rows removed"
            )?;
        }
        Some(healed) => {
            writeln!(out, "{}: healed, {} rows of it removed", healed.name, healed.rows)?;
        }
        None => writeln!(out, "no scenario is planted here, nothing was changed")?,
    }
    Ok(exit::FOUND)
}

/// Opens the database, which makes the private one ready, and works on a session that may write.
async fn training<T>(
    global: &Global,
    settings: &Settings,
    work: impl AsyncFnOnce(&mut sqlx::PgConnection) -> Result<T, Refused>,
) -> Result<T, Failure> {
    open::may_write(global, settings)?;
    let session = open::open(global, settings).await?;
    let done = async {
        let (mut conn, lease) = open::writable(global, settings).await?;
        let done = work(&mut conn).await;
        if let Some(lease) = lease {
            lease.leave().await?;
        }
        Ok(done?)
    }
    .await;
    session.close().await;
    done
}

async fn troubles(form: Form, global: &Global, settings: &Settings) -> Outcome {
    let (mut conn, lease) = open::writable(global, settings).await?;
    let options = demo::loaded(&mut conn).await;
    if let Some(lease) = lease {
        lease.leave().await?;
    }
    let Some(options) = options.map_err(session::Error::Demo)? else {
        return Err(Failure {
            message: "there is no demo data here; `orderscope demo load` makes some".to_owned(),
            code: exit::NOTHING,
        });
    };
    let planted = demo::troubles(&options).map_err(|error| Failure::usage(error.to_string()))?;
    let rows = planted.into_iter().map(|trouble| {
        vec![
            Cell::Text(trouble.name.to_owned()),
            Cell::Text(trouble.what.to_owned()),
            Cell::maybe(trouble.order.map(|order| order.to_string())),
            Cell::Text(trouble.look),
        ]
    });
    let table = Table { columns: vec!["name", "what", "order", "look"], rows: rows.collect() };
    table.print(form, &mut std::io::stdout().lock())?;
    Ok(exit::FOUND)
}
