//! What an operation works with: a way to write, a broker where there is one, and the time.

use std::fmt;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use super::{
    error::PlanError,
    table::Spec,
    work::Work,
    writer::{self, Writer},
};
use crate::{
    db::{Db, Limits, settings},
    ops::{
        Clock, ServerClock, audit::Chain, delivery::Delivery, error_queue::Source,
        operator::Operator, policy::Policy,
    },
    servers::Servers,
};

/// The role of the private server.
const PRIVATE_ROLE: &str = "orderscope";

/// What an operation works with.
#[derive(Clone)]
pub struct Context<'a> {
    database: Database<'a>,
    /// The broker, or why there is none.
    broker: Result<&'a BrokerAccess, &'a str>,
    pub clock: Clock,
    /// What has to be told before anything is done: this machine's clock is wrong.
    pub(super) warning: Option<String>,
}

/// The way to write.
#[derive(Debug, Clone, Copy)]
enum Database<'a> {
    Writer(&'a Writer),
    Owner(&'a Owner),
}

/// A database whose schema, whose owner or whose content as a whole is changed: it may have no schema `orderscope` yet,
/// and so nobody who could write to it otherwise.
#[derive(Debug)]
pub struct Owner {
    pub(super) target: Owned,
    pub(super) chain: Chain,
    operator: Operator,
    policy: Policy,
    roles: Vec<String>,
    place: String,
}

/// How an owner changes it.
#[derive(Debug)]
pub(super) enum Owned {
    /// By statements of this module.
    Schema(Box<Servers>),
    /// By what lies above it.
    Work(Box<dyn Work>),
}

/// Makes a delivery for a database, or says why it cannot.
type Deliveries = dyn Fn(&Servers) -> Result<Box<dyn Delivery>, String> + Send + Sync;

/// The broker as operations meet it: its error queues, and how what is pending is delivered to it.
pub struct BrokerAccess {
    pub source: Source,
    deliveries: Box<Deliveries>,
}

impl<'a> Context<'a> {
    /// Where operations write to this database; `broker`: why there is none, where there is none.
    #[must_use]
    pub const fn new(
        writer: &'a Writer,
        broker: Result<&'a BrokerAccess, &'a str>,
        clock: Clock,
    ) -> Self {
        Self { database: Database::Writer(writer), broker, clock, warning: None }
    }

    /// Where the schema of a database, or whose it is, is changed.
    #[must_use]
    pub const fn owning(owner: &'a Owner, clock: Clock) -> Self {
        let broker = Err("this needs no broker");
        Self { database: Database::Owner(owner), broker, clock, warning: None }
    }

    /// The same by the server's time, as far as a clock of ours tells it.
    #[must_use]
    pub fn timed(self, clock: &ServerClock) -> Self {
        Self { clock: clock.clock(), warning: clock.warning(), ..self }
    }

    /// The present time.
    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }

    /// The way to write.
    pub(super) const fn writer(&self) -> Result<&'a Writer, PlanError> {
        match self.database {
            Database::Writer(writer) => Ok(writer),
            Database::Owner(_) => Err(PlanError::NoAudit),
        }
    }

    /// The way to change the schema.
    pub(super) const fn owner(&self, spec: &Spec) -> Result<&'a Owner, PlanError> {
        match self.database {
            Database::Owner(owner) => Ok(owner),
            Database::Writer(_) => Err(PlanError::VerbOnly(spec.verb)),
        }
    }

    /// The broker.
    pub(super) fn broker(&self) -> Result<&'a BrokerAccess, PlanError> {
        self.broker.map_err(|why| PlanError::NoBroker(why.to_owned()))
    }

    /// The rules of the context.
    #[must_use]
    pub const fn policy(&self) -> &'a Policy {
        match self.database {
            Database::Writer(writer) => &writer.policy,
            Database::Owner(owner) => &owner.policy,
        }
    }

    /// Who acts.
    #[must_use]
    pub const fn operator(&self) -> &'a Operator {
        match self.database {
            Database::Writer(writer) => &writer.operator,
            Database::Owner(owner) => &owner.operator,
        }
    }

    /// `host:port/database`, without user or password.
    #[must_use]
    pub fn place(&self) -> &'a str {
        match self.database {
            Database::Writer(writer) => writer.db.place(),
            Database::Owner(owner) => &owner.place,
        }
    }

    /// Whether this operator may do that here: asked before anything else.
    pub(super) fn permits(&self, spec: &Spec) -> Result<(), PlanError> {
        match self.database {
            Database::Writer(writer) => writer.permits(spec),
            Database::Owner(owner) => writer::permits(&owner.policy, &owner.roles, spec),
        }
    }
}

impl Owner {
    /// Asks the database who acts. `name`: who is recorded, in place of the operating system's user.
    ///
    /// # Errors
    /// When nothing may be written here, the name cannot go on record, or the database does not answer.
    pub async fn open(
        servers: &Servers,
        name: Option<&str>,
        policy: Policy,
        clock: &ServerClock,
    ) -> Result<Self, PlanError> {
        if policy.read_only {
            return Err(PlanError::ReadOnly);
        }
        let db = Db::new(servers, &Limits::default());
        let asked = db
            .read("prepare", &CancellationToken::new(), async |conn: &mut PgConnection| {
                Ok((crate::db::ownership::role(conn).await?, settings::roles(conn).await?))
            })
            .await;
        let measured = clock.measure(&db).await;
        db.close().await;
        let (role, roles) = asked?;
        measured?;
        if db.is_standby() {
            return Err(crate::db::Error::Standby(db.place().to_owned()).into());
        }
        let operator = Operator::new(name, &role)?;
        let chain = Chain::open(&operator);
        let place = db.place().to_owned();
        let target = Owned::Schema(Box::new(servers.clone()));
        Ok(Self { target, chain, operator, policy, roles, place })
    }

    /// The same, for work that is done above this module.
    #[must_use]
    pub fn working(self, work: Box<dyn Work>) -> Self {
        Self { target: Owned::Work(work), ..self }
    }

    /// For work on the private server, which need not run: its one role is known.
    ///
    /// # Errors
    /// When nothing may be written here, or the name cannot go on record.
    pub fn private(
        name: Option<&str>,
        policy: Policy,
        place: String,
        work: Box<dyn Work>,
    ) -> Result<Self, PlanError> {
        if policy.read_only {
            return Err(PlanError::ReadOnly);
        }
        let operator = Operator::new(name, PRIVATE_ROLE)?;
        let (chain, roles) = (Chain::open(&operator), vec![PRIVATE_ROLE.to_owned()]);
        Ok(Self { target: Owned::Work(work), chain, operator, policy, roles, place })
    }
}

impl BrokerAccess {
    /// A broker with its error queues, and how what is pending is delivered to it.
    pub fn new(
        source: Source,
        deliveries: impl Fn(&Servers) -> Result<Box<dyn Delivery>, String> + Send + Sync + 'static,
    ) -> Self {
        Self { source, deliveries: Box::new(deliveries) }
    }

    /// How what is pending in this database is delivered.
    pub(super) fn delivery(&self, writer: &Writer) -> Result<Box<dyn Delivery>, PlanError> {
        (self.deliveries)(writer.db.servers()).map_err(PlanError::NoBroker)
    }
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("database", &self.database).finish_non_exhaustive()
    }
}

impl fmt::Debug for BrokerAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokerAccess").field("source", &self.source).finish_non_exhaustive()
    }
}
