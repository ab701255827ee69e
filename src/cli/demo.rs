//! `orderscope demo …`

use super::{
    Failure, Outcome,
    args::{Demo, Global, ScenarioName},
    clock, exit, open,
    operation::{self, Ask, MakeWork},
};
use crate::{
    config::{self, Settings},
    demo::{self, DemoWork, Task, scenario::Scenario},
    domain::report::{Cell, Form, Table},
    ops::operation::{Kind, Operation},
    relay::Broker,
    session,
};

pub(super) async fn run(verb: Demo, global: &Global, settings: &Settings) -> Outcome {
    match verb {
        Demo::Load { orders, seed, years, until, replace, run, output } => {
            let day = until.unwrap_or_else(|| clock::now().date_naive());
            let years = u32::from(years);
            let options = demo::Options { orders: u64::from(orders), seed, years, until: day };
            options.check().map_err(|error| Failure::usage(error.to_string()))?;
            let mut words: Vec<_> = [
                ("--orders", orders.to_string()),
                ("--seed", seed.to_string()),
                ("--years", years.to_string()),
                ("--until", day.to_string()),
            ]
            .into_iter()
            .flat_map(|(option, value)| [option.to_owned(), value])
            .collect();
            words.extend(replace.then(|| "--replace".to_owned()));
            let operation = Operation::Work { kind: Kind::LoadDemo, options: words };
            let task = Task::Load { options, replace };
            work(Ask::new(&run, output), operation, task, None, global, settings).await
        }
        Demo::Scenario { name, amqp_url, run, output } => {
            let broker = broker(amqp_url.as_deref(), settings)?;
            let scenario = scenario_of(name);
            let options = [vec![scenario.name().to_owned()], url_words(amqp_url)].concat();
            let operation = Operation::Work { kind: Kind::PlantScenario, options };
            let ask = Ask::new(&run, output);
            training(ask, operation, Task::Plant(scenario), broker, global, settings).await
        }
        Demo::Heal { amqp_url, run, output } => {
            let broker = broker(amqp_url.as_deref(), settings)?;
            let operation =
                Operation::Work { kind: Kind::HealScenario, options: url_words(amqp_url) };
            training(Ask::new(&run, output), operation, Task::Heal, broker, global, settings).await
        }
        Demo::Troubles { output } => troubles(Form::from(output.output), global, settings).await,
    }
}

fn url_words(url: Option<String>) -> Vec<String> {
    url.into_iter().flat_map(|url| ["--amqp-url".to_owned(), url]).collect()
}

async fn work(
    ask: Ask<'_>,
    operation: Operation,
    task: Task,
    broker: Option<Broker>,
    global: &Global,
    settings: &Settings,
) -> Outcome {
    let progress: fn(&demo::Progress) = |step| open::tell(&session::demo_progress(step));
    let make: MakeWork<'_> =
        Box::new(move |servers| Box::new(DemoWork { task, servers, broker, progress }));
    operation::run_owning(ask, global, settings, operation, Some(make)).await
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

/// The same in a database that was opened first, which makes the private one ready.
async fn training(
    ask: Ask<'_>,
    operation: Operation,
    task: Task,
    broker: Option<Broker>,
    global: &Global,
    settings: &Settings,
) -> Outcome {
    operation::writable(global, settings)?;
    let session = open::open(global, settings).await?;
    let done = work(ask, operation, task, broker, global, settings).await;
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
    table.print(form, &[], &mut std::io::stdout().lock())?;
    Ok(exit::FOUND)
}
