//! The database for the measurements: the configured one, or a private one with seven years of orders.

use orderscope::{
    db::{Db, Limits, migrate},
    demo,
    embedded::{self, Lease},
    session,
};
use sqlx::postgres::PgConnectOptions;

/// The size that the project's targets assume: 1,000 orders a day for seven years.
const ORDERS: u64 = 2_555_000;

/// An open database.
pub struct Database {
    pub db: Db,
    /// For the real binary.
    pub url: String,
    lease: Option<Lease>,
}

/// Opens the database, and fills it the first time.
pub async fn ready() -> Database {
    let url = std::env::var("DATABASE_URL").ok().filter(|url| !url.is_empty());
    let (options, url, lease) = match url {
        Some(url) => (url.parse::<PgConnectOptions>().unwrap(), url, None),
        None => {
            let mut config = embedded::Config::from_env();
            config.home = config.home.join("bench");
            let lease = embedded::join(&config, &|step| eprintln!("{step}")).await.unwrap();
            (lease.options().clone(), lease.url(), Some(lease))
        }
    };
    if lease.is_some() {
        let mut conn = session::connect(&(&options).into()).await.unwrap();
        migrate::migrate(&mut conn).await.unwrap();
        let today = chrono::Utc::now().date_naive();
        let wanted = demo::Options { orders: ORDERS, years: 7, ..demo::Options::until(today) };
        if demo::loaded(&mut conn).await.unwrap().is_none_or(|found| found.orders != ORDERS) {
            let progress = |step: demo::Progress| {
                if step.done == step.total {
                    eprintln!("{}", session::demo_progress(&step));
                }
            };
            demo::load(&mut conn, wanted, true, progress).await.unwrap();
        }
    }
    Database { db: Db::new(&options, &Limits::default()), url, lease }
}

impl Database {
    pub async fn close(self) {
        self.db.close().await;
        if let Some(lease) = self.lease {
            lease.leave().await.unwrap();
        }
    }
}
