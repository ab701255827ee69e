//! PostgreSQL: sessions, layout, errors, cancelling, paging; one file per subject. Every SQL statement
//! of the product lives below this module.

pub mod archive;
pub mod audit;
pub mod bulk;
pub mod buyers;
pub mod chain;
pub mod clock;
pub mod demo;
pub mod events;
pub mod expressions;
pub mod handled;
pub mod inbox;
pub mod letters;
pub mod messages;
pub mod migrate;
pub mod operations;
pub mod orders;
pub mod outbox;
pub mod ownership;
pub mod paused;
pub mod relay;
pub mod samples;
pub mod scenario;
pub mod search;
pub mod settings;
pub mod standby;
pub mod streams;
pub mod summaries;
pub mod write;

mod address;
mod cancel;
mod error;
mod layout;
mod limits;
mod pool;
mod record_session;
mod sql;

pub use address::connect;
pub use cancel::cancellable;
pub use error::Error;
use error::OfTable;
pub use layout::{Group, Index, Kind, Layout, Missing, Table};
pub use limits::Limits;
pub use pool::{Db, Pool, Session};
pub use sql::unless_late;
