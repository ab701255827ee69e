//! The record session: the only one that writes while the console is locked, and only into schema
//! `orderscope`.

use sqlx::{Connection, PgConnection};

use super::{Db, Error};

impl Db {
    /// Runs `work` in a transaction that is committed only if everything it wrote lies in schema
    /// `orderscope`. A failure, or a write elsewhere, leaves nothing.
    pub async fn record<T>(
        &self,
        who: &str,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut session = self.recorder.session(who).await?;
        if session.is_standby() {
            // Not kept: the next session shows whether the server was promoted.
            return Err(Error::Standby(self.servers().place()));
        }
        let answer = guarded(&mut session, work).await;
        if !answer.as_ref().is_err_and(Error::ends_session) {
            session.finish();
        }
        answer.map_err(|error| error.within(self.recorder.statement_limit()))
    }
}

async fn guarded<T>(
    conn: &mut PgConnection,
    work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Error>,
) -> Result<T, Error> {
    // The session's transactions are read-only unless they say otherwise.
    let mut tx = conn.begin_with("BEGIN READ WRITE").await?;
    let done = async {
        let answer = work(&mut tx).await?;
        match elsewhere(&mut tx).await? {
            Some(tables) => Err(Error::NotPermitted(format!(
                "the record session writes only into schema orderscope, not into {tables}"
            ))),
            None => Ok(answer),
        }
    }
    .await;
    match done {
        Ok(answer) => {
            tx.commit().await?;
            Ok(answer)
        }
        Err(error) => {
            // A session that is gone has rolled back by itself.
            let _ = tx.rollback().await;
            Err(error)
        }
    }
}

/// Relations outside the schema that this transaction may have written: whoever writes a table or draws from
/// a sequence holds a lock on it, stronger than a reader's, until the end.
async fn elsewhere(conn: &mut PgConnection) -> Result<Option<String>, Error> {
    let tables = sqlx::query_scalar(
        "SELECT string_agg(DISTINCT coalesce(held.relation::regclass::text, 'a table'), ', ')
         FROM pg_locks held
         LEFT JOIN pg_class c ON c.oid = held.relation
         LEFT JOIN pg_index i ON i.indexrelid = c.oid
         LEFT JOIN pg_class own ON own.reltoastrelid = coalesce(i.indrelid, c.oid)
         WHERE held.pid = pg_backend_pid() AND held.locktype = 'relation'
           AND held.mode NOT IN ('AccessShareLock', 'RowShareLock')
           AND coalesce(own.relnamespace, c.relnamespace)
               IS DISTINCT FROM to_regnamespace('orderscope')::oid",
    )
    .fetch_one(conn)
    .await?;
    Ok(tables)
}
