//! Where the console is connected to, as its header and its limits tell.

use super::Services;
use crate::{
    config::Target,
    db::{Db, Layout},
    session::{self, Replay},
    tui::shared::Place,
};

/// What a hot standby means where writing goes to another server.
const OLDER: &str = "what is shown may be older than what is written";

/// Why nothing can be written on a hot standby.
const READ_ONLY: &str = "a hot standby can only be read; name the primary server to write";

impl Services {
    pub(super) fn place(&self, layout: &Layout, db: &Db, replay: Option<Replay>) -> Place {
        let (standby, writes) = (session::standby(replay), db.writes_elsewhere());
        let gaps = layout.missing().into_iter().map(|gap| format!("{}: {}", gap.what, gap.cost));
        let gaps = standby
            .iter()
            .map(|it| format!("{it}: {}", if writes { OLDER } else { READ_ONLY }))
            .chain(gaps);
        let (host, database) = match (&self.context.target, db.place().rsplit_once('/')) {
            (Target::Embedded, _) => ("private".to_owned(), "orderscope".to_owned()),
            (_, Some((host, database))) => (host.to_owned(), database.to_owned()),
            (_, None) => (db.place().to_owned(), String::new()),
        };
        let database = match layout.schemas() {
            Some(schemas) => format!("{database} ({schemas})"),
            None => database,
        };
        Place {
            context: self.context.name.clone(),
            production: self.context.production,
            database,
            host,
            role: layout.role().to_owned(),
            gaps: gaps.collect(),
            attached: !layout.is_managed(),
            operator: format!("{}@{}", self.operator.name, self.operator.host),
            no_broker: self.broker.as_ref().err().cloned(),
            barred: match &standby {
                Some(_) if !writes => Some(READ_ONLY),
                _ => (!layout.has_console_schema()).then_some(
                    "there is no schema orderscope to record in: run `orderscope attach` first",
                ),
            },
            standby,
        }
    }
}
