//! The one way to write: who does it, into what kind of database, and where it is recorded.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use super::{error::PlanError, table::Spec};
use crate::{
    db::{
        Db, Layout, Pool,
        settings::{self, Settings},
    },
    ops::{
        audit::{Chain, Entry},
        operator::Operator,
        policy::Policy,
    },
};

/// As the log names it.
const UNLOCK: &str = "UnlockWrites";

/// An unlocked database. Its sessions are opened when first needed and end with it.
#[derive(Debug, Clone)]
pub struct Writer {
    pub(crate) db: Db,
    pub(crate) pool: Pool,
    pub(crate) layout: Arc<Layout>,
    pub(crate) operator: Operator,
    pub(crate) policy: Policy,
    pub(crate) chain: Chain,
    pub(crate) settings: Settings,
    pub(crate) roles: Arc<[String]>,
}

impl Writer {
    /// Reads what kind of database this is and makes sure that there is somewhere to record.
    pub async fn open(db: &Db, operator: Operator, policy: Policy) -> Result<Self, PlanError> {
        if policy.read_only {
            return Err(PlanError::ReadOnly);
        }
        let layout = db.layout().await?;
        // Before anything else is found out: nothing can be written there.
        if db.is_standby() {
            return Err(crate::db::Error::Standby(db.place().to_owned()).into());
        }
        if !layout.has_console_schema() {
            return Err(PlanError::NoAudit);
        }
        let known = async |conn: &mut PgConnection| {
            Ok((settings::read(conn, layout.is_managed()).await?, settings::roles(conn).await?))
        };
        let (settings, roles) = db.read("unlock", &CancellationToken::new(), known).await?;
        let verb = if layout.is_managed() { "migrate" } else { "attach" };
        let settings = settings.ok_or(PlanError::Behind(verb))?;
        Ok(Self {
            db: db.clone(),
            pool: db.writing(),
            layout,
            chain: Chain::open(&operator),
            operator,
            policy,
            settings,
            roles: roles.into(),
        })
    }

    /// What is known of the database.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    pub const fn operator(&self) -> &Operator {
        &self.operator
    }

    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether this operator may do that here: asked before anything else.
    pub(crate) fn permits(&self, spec: &Spec) -> Result<(), PlanError> {
        permits(&self.policy, &self.roles, spec)
    }

    /// Records what a console was unlocked for, before anything is written: in the journal's session, and in the chain
    /// that what is written goes into.
    ///
    /// # Errors
    /// When it cannot be recorded; nothing should be written then.
    pub async fn record_unlock(&self, reason: &str, at: DateTime<Utc>) -> Result<i64, PlanError> {
        let number = self.db.record("unlock", async |tx: &mut PgConnection| {
            let entry = Entry {
                id: crate::ops::fresh_id(),
                at,
                intent: UNLOCK,
                targets: vec![],
                reason: Some(reason),
                before: &Value::Null,
                after: &Value::Null,
            };
            self.chain.record(tx, &entry).await
        });
        Ok(number.await?)
    }

    /// Ends its sessions in an orderly way.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Whether the policy of the context allows an operation.
pub(super) fn permits(policy: &Policy, roles: &[String], spec: &Spec) -> Result<(), PlanError> {
    if policy.read_only {
        return Err(PlanError::ReadOnly);
    }
    Ok(policy.allows(spec.name, roles)?)
}
