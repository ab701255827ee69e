//! How long sessions may wait, run and hold locks.

use std::time::Duration;

/// The limits of every session. All of them are configuration.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The longest any statement may take. 2 s is what an attached database can bear: a running statement
    /// holds back every projection while a gap is open.
    pub statement: Duration,
    /// The longest wait for another's lock.
    pub lock: Duration,
    /// The longest a plan may hold the locks of what it tries out.
    pub planning: Duration,
    /// The longest a transaction of ours may do nothing.
    pub idle_in_transaction: Duration,
    /// The longest wait for the server to take a new session.
    pub connect: Duration,
    /// The longest wait for one of our own sessions to become free.
    pub acquire: Duration,
    /// The longest a question of several statements may take on this side, whatever became of the connection.
    pub answer: Duration,
    /// Sessions for reading at the same time.
    pub readers: usize,
    /// A table of at most so many pages (of 8 kB) is read whole where it has no index: that takes a few
    /// milliseconds.
    pub small_table_pages: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            statement: Duration::from_secs(2),
            lock: Duration::from_millis(500),
            planning: Duration::from_secs(1),
            idle_in_transaction: Duration::from_secs(5),
            connect: Duration::from_secs(5),
            acquire: Duration::from_secs(5),
            answer: Duration::from_secs(20),
            readers: 4,
            small_table_pages: 1_000,
        }
    }
}
