//! What a command produced waits in its consumer's outbox: it is sent with the inbox row locked, so that two
//! deliveries of one message do not both send it.

use std::time::Duration;

use chrono::TimeDelta;
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{CONNECT, Error, Settings};
use crate::{
    db::{
        self,
        relay::{self as table, ConsumerOutbox, Most, OutboxTables, Progress},
    },
    domain::{
        id::{ConsumerId, MessageId},
        id_timestamp::new_id,
        outgoing::outgoing,
        poison::Poison,
    },
    ops::operation::Writer,
    relay::{self, Publisher},
    workers::Clock,
};

/// The longest a transaction stays open, waiting for the broker included.
const BUDGET: Duration = Duration::from_secs(5);
/// Between two looks at a row that someone else holds.
const OTHERS: Duration = Duration::from_millis(50);
/// So many messages and bytes are sent in one transaction: a command produces one or two messages.
const MOST: (i64, i64) = (100, 8 << 20);

/// Sends what commands produced. Its sessions are opened when first needed.
pub(super) struct Produced<'a> {
    settings: &'a Settings,
    writer: &'a Writer,
    tables: OutboxTables,
    clock: Clock,
    database: Option<PgConnection>,
    publisher: Option<Publisher>,
}

/// Why it was not sent, or not recorded as sent.
pub(super) enum Unsent {
    /// Trying again does not help.
    Poison(String),
    Later(Error),
}

impl<T: Into<Error>> From<T> for Unsent {
    fn from(error: T) -> Self {
        Self::Later(error.into())
    }
}

impl<'a> Produced<'a> {
    pub(super) const fn new(
        settings: &'a Settings,
        writer: &'a Writer,
        tables: OutboxTables,
        clock: Clock,
    ) -> Self {
        Self { settings, writer, tables, clock, database: None, publisher: None }
    }

    /// Sends all of it, or finds that somebody else did.
    pub(super) async fn send(
        &mut self,
        message: MessageId,
        consumer: ConsumerId,
        stop: &CancellationToken,
    ) -> Result<(), Unsent> {
        let consumer_outbox = ConsumerOutbox { message_id: message.0, consumer_id: consumer.0 };
        let ended = self.passes(consumer_outbox, stop).await;
        if ended.is_err() {
            // Whatever state these are in, they are not worth keeping.
            self.database = None;
            self.publisher = None;
        }
        ended
    }

    async fn passes(
        &mut self,
        consumer_outbox: ConsumerOutbox,
        stop: &CancellationToken,
    ) -> Result<(), Unsent> {
        let (settings, tables, clock) = (self.settings, &self.tables, self.clock.clone());
        let publisher = match &mut self.publisher {
            Some(publisher) if publisher.is_open() => publisher,
            empty => empty.insert(Publisher::connect(&settings.broker, "consumer", CONNECT).await?),
        };
        let conn = match &mut self.database {
            Some(conn) => conn,
            empty => {
                let servers = self.writer.db.servers();
                empty.insert(table::connect(servers, "relay", &settings.limits, BUDGET).await?)
            }
        };
        while table::is_consumer_outbox_pending(conn, tables, consumer_outbox).await? {
            if !pass((conn, tables), publisher, consumer_outbox, settings, &clock).await? {
                // Another consumer has it; should it fail, it is ours again.
                tokio::select! {
                    () = tokio::time::sleep(OTHERS) => {}
                    () = stop.cancelled() => {
                        let why = "it was told to end".to_owned();
                        return Err(relay::Error::Lost(why).into());
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) async fn close(&mut self) {
        if let Some(publisher) = self.publisher.take() {
            publisher.close().await;
        }
        if let Some(conn) = self.database.take() {
            // What was to be written is committed.
            let _ = conn.close().await;
        }
    }
}

/// Locks, sends, records; whether the row was free.
async fn pass(
    (conn, tables): (&mut PgConnection, &OutboxTables),
    publisher: &mut Publisher,
    consumer_outbox: ConsumerOutbox,
    settings: &Settings,
    clock: &Clock,
) -> Result<bool, Unsent> {
    let mut tx = conn.begin().await.map_err(db::Error::from)?;
    // However new it is: its message is in our hands.
    let before = clock() + TimeDelta::days(1);
    let Some(open) = table::lock_consumer_outbox(&mut tx, tables, consumer_outbox, before).await?
    else {
        tx.rollback().await.map_err(db::Error::from)?;
        return Ok(false);
    };
    let Settings { copies, largest, .. } = *settings;
    let (messages, bytes) = MOST;
    let most = Most { outboxes: 1, messages, bytes, message_bytes: largest };
    let rows = table::load(&mut tx, tables, &[open], Some(consumer_outbox), &most).await?;
    let mut last = None;
    for row in rows {
        let (bytes, limit) = (row.bytes, largest);
        let too_large = || Unsent::Poison(Poison::TooLarge { bytes, limit }.to_string());
        let stored = row.stored.ok_or_else(too_large)?;
        let made = outgoing(stored, publisher.home(), clock());
        let outgoing = made.map_err(|poison| Unsent::Poison(poison.to_string()))?;
        let sent = async {
            publisher.prepare(&outgoing).await?;
            publisher.send(outgoing).await
        };
        // That no queue wanted it is as with MassTransit: it counts as delivered.
        match tokio::time::timeout(BUDGET, sent).await {
            Ok(Ok(_)) => last = Some(row.sequence),
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => {
                let why = format!("no confirm within {} s", BUDGET.as_secs());
                return Err(relay::Error::Lost(why).into());
            }
        }
    }
    let now = clock();
    let mut maker = [0; 8];
    maker.copy_from_slice(&Uuid::new_v4().as_bytes()[..8]);
    let step = Progress { outbox: consumer_outbox.key(), last, lock_id: new_id(now, maker) };
    table::record_consumer_outbox(&mut tx, tables, consumer_outbox, &step, copies, now).await?;
    tx.commit().await.map_err(db::Error::from)?;
    Ok(true)
}
