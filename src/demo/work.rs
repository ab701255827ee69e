//! What is done to demo data as operations: loading it, planting a scenario in it, taking that out again.

use futures::future::BoxFuture;
use serde_json::json;
use sqlx::{Connection, PgConnection};

use super::{
    Options,
    load::{self, Progress},
    scenario::{self, Refused, Scenario},
};
use crate::{
    db::{
        self, bulk,
        migrate::{self, Standing},
    },
    domain::text::thousands,
    ops::{
        error_queue::Broker,
        operation::{Check, Done, Effect, Ending, Failed, Found, Recorder, Verdict, Work},
    },
    servers::Servers,
};

/// What is done.
#[derive(Debug, Clone, Copy)]
pub enum Task {
    Load { options: Options, replace: bool },
    Plant(Scenario),
    Heal,
}

/// Something to do to the demo data of one database.
#[derive(Debug)]
pub struct DemoWork {
    pub task: Task,
    pub servers: Servers,
    pub broker: Option<Broker>,
    /// Hears of the progress of a load.
    pub progress: fn(&Progress),
}

impl Work for DemoWork {
    fn look(&self) -> BoxFuture<'_, Result<Found, Failed>> {
        Box::pin(async {
            let mut conn = db::connect(&self.servers, "prepare").await.map_err(failed)?;
            let found = self.found(&mut conn).await;
            // Nothing was begun on it that matters.
            let _ = conn.close().await;
            found.map_err(refused)
        })
    }

    fn run<'a>(&'a self, record: &'a Recorder<'a>) -> BoxFuture<'a, Result<Done, Failed>> {
        Box::pin(async {
            let mut conn = db::connect(&self.servers, "prepare").await.map_err(failed)?;
            let done = self.done(&mut conn, record).await;
            let _ = conn.close().await;
            done.map_err(refused)
        })
    }
}

impl DemoWork {
    async fn found(&self, conn: &mut PgConnection) -> Result<Found, Refused> {
        let mut found = Found::default();
        let mut say = |text: String| found.checks.push(Check::new(Verdict::Ok, text));
        match self.task {
            Task::Load { options, replace } => {
                options.check().map_err(load::Error::from)?;
                match migrate::standing(conn).await.map_err(load::Error::from)? {
                    Standing::Managed { pending: 0 } => {
                        let mut tx = conn.begin().await?;
                        bulk::prepare(&mut tx, load::SMALL_MEMORY_MB).await?;
                        let may = load::may_load(&mut tx, replace).await;
                        // It made nothing but tables that end with it.
                        tx.rollback().await?;
                        let replaced = "all rows here are the demo's: they are replaced";
                        say(if may? { replaced } else { "the database is empty" }.to_owned());
                    }
                    standing => {
                        migrate::may_migrate(&standing).map_err(load::Error::from)?;
                        say("its schema is made or brought up to date first".to_owned());
                    }
                }
                let orders = i64::try_from(options.orders).unwrap_or(i64::MAX);
                let told =
                    format!("{} demo orders, with all that belongs to them", thousands(orders));
                found.effects.push(Effect::told("orders", told));
            }
            Task::Plant(scenario) => {
                found.nothing = !scenario::may_plant(conn, scenario, self.broker.as_ref()).await?;
                say(if found.nothing {
                    format!(
                        "{} is planted already, nothing was changed; `orderscope demo heal` takes it out",
                        scenario.name()
                    )
                } else {
                    "the demo data is there, nothing is planted, and no relay delivers from it"
                        .to_owned()
                });
                found.effects.push(Effect::told(scenario.name(), scenario.what()));
            }
            Task::Heal => match scenario::may_heal(conn, self.broker.as_ref()).await? {
                Some(name) => {
                    say(format!("{name} is planted"));
                    let told = "its rows and messages are removed, and nothing else";
                    found.effects.push(Effect::told(name, told));
                }
                None => {
                    found.nothing = true;
                    say("no scenario is planted here, nothing was changed".to_owned());
                }
            },
        }
        Ok(found)
    }

    async fn done(&self, conn: &mut PgConnection, record: &Recorder<'_>) -> Result<Done, Refused> {
        let mut tx = conn.begin().await?;
        let (mut done, after, planted) = match self.task {
            Task::Load { options, replace } => {
                let migrated = migrate::migrate_in(&mut tx).await.map_err(load::Error::from)?;
                let progress = |step: Progress| (self.progress)(&step);
                let loaded = load::load_in(&mut tx, options, replace, progress).await?;
                let load::Loaded { orders, lines, buyers, events, .. } = loaded;
                let told =
                    format!("{orders} orders, {lines} lines, {buyers} buyers, {events} events");
                let after = json!({
                    "told": told, "orders": orders, "seed": options.seed, "years": options.years,
                    "until": options.until.to_string(), "replaced": replace, "applied": migrated.applied,
                });
                (Done { told, more: vec![], audit: None }, after, None)
            }
            Task::Plant(scenario) => {
                let planted = scenario::plant(&mut tx, scenario, self.broker.as_ref()).await?;
                // Somebody was faster with the same.
                let planted =
                    planted.ok_or_else(|| Refused::Another(scenario.name().to_owned()))?;
                let scenario::Planted { outboxes, messages, received, faults } = &planted;
                let (look, rows) = if faults.is_empty() {
                    let rows =
                        format!("{outboxes} outboxes, {messages} messages, {received} inbox rows");
                    ("messages status".to_owned(), rows)
                } else {
                    let queues = super::consumers()
                        .map(|consumer| format!(" --queue {}_error", consumer.queue));
                    let rows =
                        format!("{} messages in error queues, {received} inbox rows", faults.len());
                    (format!("errors list{}", queues.concat()), rows)
                };
                let told = format!("{}: {}", scenario.name(), scenario.what());
                let more = format!(
                    "planted {rows}; look with `orderscope {look}`, end with `orderscope demo heal`"
                );
                let after = json!({ "told": told, "scenario": scenario.name(), "planted": rows });
                (Done { told, more: vec![more], audit: None }, after, Some(planted))
            }
            Task::Heal => {
                let healed = scenario::heal(&mut tx, self.broker.as_ref()).await?;
                let told = healed.map_or_else(
                    || "no scenario is planted here, nothing was changed".to_owned(),
                    |healed| healed.to_string(),
                );
                let after = json!({ "told": told });
                (Done { told, more: vec![], audit: None }, after, None)
            }
        };
        done.audit = Some(record.record(&mut tx, &after).await.map_err(load::Error::Database)?);
        tx.commit().await?;
        if let Some(planted) = planted
            && let Err(error) = scenario::publish(&planted, self.broker.as_ref()).await
        {
            // Healed at once, or it stays on record for the next attempt to heal.
            return Err(match self.taken_back(conn, record).await {
                Ok(()) => error.into(),
                Err(_) => Refused::HalfPlanted(error),
            });
        }
        Ok(done)
    }

    /// Heals what could be planted only in part, on record like everything else.
    async fn taken_back(
        &self,
        conn: &mut PgConnection,
        record: &Recorder<'_>,
    ) -> Result<(), Refused> {
        let mut tx = conn.begin().await?;
        scenario::heal(&mut tx, self.broker.as_ref()).await?;
        let after = json!({ "told": "taken back: not all of its messages could be published" });
        let record = record.again(crate::ops::fresh_id());
        record.record(&mut tx, &after).await.map_err(load::Error::Database)?;
        Ok(tx.commit().await?)
    }
}

fn failed(error: db::Error) -> Failed {
    refused(Refused::Load(load::Error::Database(error)))
}

fn refused(error: Refused) -> Failed {
    let passing = match &error {
        Refused::Load(load::Error::Database(error) | load::Error::Planting(error)) => {
            error.can_pass()
        }
        Refused::Load(load::Error::Migrate(migrate::Error::Database(error))) => error.can_pass(),
        Refused::Broker(error) => error.can_pass(),
        _ => false,
    };
    let ending = if passing { Ending::Passing } else { Ending::Refused };
    Failed { message: error.to_string(), ending }
}
