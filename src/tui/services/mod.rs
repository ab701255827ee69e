//! What requests need from outside: the database, once it is open, and a few files.

mod beside;
mod place;

use std::{
    io::Write,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    route::Route,
    shared::{Place, Remembered},
};
use crate::{
    config::{self, Context, SavedState},
    db::{self, Db, Layout, Limits},
    domain::{
        report::{Form, Table},
        search::Query,
    },
    files,
    ops::{
        Clock, ServerClock,
        audit::{self, Filter, Recorded, Reveal, RevealRecord, Trail},
        error_queue::Source,
        messages::Watch,
        operation::{
            self, BrokerAccess, Confirmation, Context as Operating, Operation, Plan, PlanError,
            PlanRequest, Progress, Writer,
        },
        operator::Operator,
        policy::Policy,
        search::record,
    },
    session::{self, Session},
};

/// How long the console waits at its end for what an operation is doing: more than a batch and its record take.
const ENDING: Duration = Duration::from_secs(5);

/// What a request may use while it runs.
#[derive(Debug, Clone)]
pub struct Cx {
    pub services: Arc<Services>,
    /// Fires when the answer is no longer wanted.
    pub stop: CancellationToken,
}

impl Cx {
    /// Runs a read on a session of its own, stopped in PostgreSQL when the answer is no longer wanted.
    pub async fn read<T>(
        &self,
        who: &str,
        work: impl AsyncFnOnce(&mut PgConnection, &Layout) -> Result<T, db::Error>,
    ) -> Result<T, db::Error> {
        self.services.read(who, &self.stop, work).await
    }

    /// The present, for what a request has to compare with it.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.services.now()
    }

    /// Waits a little; less when the answer is no longer wanted.
    pub async fn pause(&self, length: Duration) {
        tokio::select! {
            () = tokio::time::sleep(length) => {}
            () = self.stop.cancelled() => {}
        }
    }
}

/// Shared by all requests of one console.
pub struct Services {
    context: Context,
    limits: Limits,
    /// Who acts; the role is the database session's.
    operator: Operator,
    policy: Policy,
    clock: Clock,
    server: ServerClock,
    /// What counts as trouble with messages.
    watch: Watch,
    /// The broker, or why none is asked.
    broker: Result<BrokerAccess, String>,
    running: tokio::sync::Mutex<()>,
    /// Held while error queues are looked into: what one look holds, another does not see.
    queues: tokio::sync::Mutex<()>,
    halting: Mutex<Halting>,
    /// Where exports go.
    exports: PathBuf,
    open: watch::Sender<Option<Arc<Opened>>>,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services").field("context", &self.context).finish_non_exhaustive()
    }
}

/// Which operation runs and what stops it; which one was told to stop, perhaps before it began.
#[derive(Debug, Default)]
struct Halting {
    running: Option<(Uuid, CancellationToken)>,
    told: Option<Uuid>,
}

#[derive(Debug)]
struct Opened {
    db: Db,
    layout: Arc<Layout>,
    session: tokio::sync::Mutex<Option<Session>>,
    operator: Operator,
    trail: Trail,
    /// There only while the console is unlocked.
    writer: tokio::sync::Mutex<Option<Writer>>,
}

impl Services {
    /// Nothing is opened before the first request. `broker`: the broker, or why there is none.
    #[must_use]
    pub fn new(
        context: Context,
        limits: Limits,
        operator: Operator,
        policy: Policy,
        (watch, broker): (Watch, Result<BrokerAccess, String>),
        clock: Clock,
    ) -> Self {
        let server = ServerClock::new(clock);
        let exports = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        let open = watch::Sender::new(None);
        let (running, halting) = (tokio::sync::Mutex::new(()), Mutex::default());
        let queues = tokio::sync::Mutex::new(());
        Self {
            context,
            limits,
            operator,
            policy,
            clock: server.clock(),
            server,
            watch,
            broker,
            running,
            queues,
            halting,
            exports,
            open,
        }
    }

    /// Opens the database, reporting slow steps.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) async fn connect(
        &self,
        progress: session::Progress<'_>,
    ) -> Result<Place, session::Error> {
        let today = self.now().date_naive();
        let session = session::open(&self.context, &self.limits, today, progress).await?;
        let _ = self.server.measure(&session.db).await;
        let place = self.place(&session.layout, &session.db, session.replay);
        let (db, layout) = (session.db.clone(), Arc::clone(&session.layout));
        let session = tokio::sync::Mutex::new(Some(session));
        let role = layout.role().to_owned();
        let operator = Operator { role, ..self.operator.clone() };
        let trail = Trail::new(&db, &operator, config::state_dir().join("reads.jsonl"));
        let writer = tokio::sync::Mutex::new(None);
        let opened = Opened { db, layout, session, operator, trail, writer };
        self.open.send_replace(Some(Arc::new(opened)));
        Ok(place)
    }

    /// The present time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }

    /// What tells the present time again and again.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What counts as trouble with messages.
    #[must_use]
    pub const fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Runs a read on a session of its own; waits until the database is open.
    pub async fn read<T>(
        &self,
        who: &str,
        stop: &CancellationToken,
        work: impl AsyncFnOnce(&mut PgConnection, &Layout) -> Result<T, db::Error>,
    ) -> Result<T, db::Error> {
        let opened = self.ready(stop).await.ok_or(db::Error::Cancelled)?;
        let layout = Arc::clone(&opened.layout);
        opened.db.read(who, stop, async |conn| work(conn, &layout).await).await
    }

    /// Waits until the database is open; none where nobody waits any more.
    async fn ready(&self, stop: &CancellationToken) -> Option<Arc<Opened>> {
        let mut open = self.open.subscribe();
        tokio::select! {
            opened = open.wait_for(Option::is_some) => opened.ok().and_then(|open| open.clone()),
            () = stop.cancelled() => None,
        }
    }

    /// Waits until no other look into the error queues goes on: what one look holds, another does not see.
    pub async fn queues_alone(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.queues.lock().await
    }

    /// The broker and where its queues are, or why none is asked.
    ///
    /// # Errors
    /// When none is configured.
    pub fn source(&self) -> Result<&Source, String> {
        self.broker.as_ref().map(|broker| &broker.source).map_err(Clone::clone)
    }

    /// The database, for what takes several sessions; waits until it is open, none where nobody waits any more.
    pub async fn database(&self, stop: &CancellationToken) -> Option<(Db, Arc<Layout>)> {
        let opened = self.ready(stop).await?;
        Some((opened.db.clone(), Arc::clone(&opened.layout)))
    }

    /// How long the server is left alone, because too many attempts to reach it failed.
    pub(super) fn pause(&self) -> Option<Duration> {
        self.opened().and_then(|opened| opened.db.wait())
    }

    fn opened(&self) -> Option<Arc<Opened>> {
        self.open.borrow().clone()
    }

    /// Opens the way to write, and records what for; tells where the record is.
    pub(super) async fn unlock(&self, reason: &str) -> Result<String, String> {
        let opened = self.opened().ok_or("not connected yet")?;
        let made = Writer::open(&opened.db, opened.operator.clone(), self.policy.clone()).await;
        let writer = made.map_err(|error| error.to_string())?;
        self.server.measure(&opened.db).await.map_err(|error| error.to_string())?;
        let recorded = writer.record_unlock(reason, self.now()).await;
        let number = recorded.map_err(|error| error.to_string())?;
        if let Some(old) = opened.writer.lock().await.replace(writer) {
            old.close().await;
        }
        let warning = self.server.warning().map_or_else(String::new, |why| format!("; {why}"));
        Ok(format!("unlocked, recorded as #{number}: what runs is recorded{warning}"))
    }

    /// Closes it.
    pub(super) async fn lock(&self) {
        if let Some(opened) = self.opened()
            && let Some(writer) = opened.writer.lock().await.take()
        {
            writer.close().await;
        }
    }

    /// The way to write, while the console is unlocked.
    ///
    /// # Errors
    /// When it is locked.
    pub async fn writer(&self) -> Result<Writer, PlanError> {
        let opened = self.opened().ok_or(PlanError::Locked)?;
        let writer = opened.writer.lock().await.clone();
        writer.ok_or(PlanError::Locked)
    }

    /// What an operation would do.
    ///
    /// # Errors
    /// When the console is locked, and as [`operation::plan`].
    pub async fn plan(
        &self,
        request: PlanRequest,
        stop: &CancellationToken,
    ) -> Result<Plan, PlanError> {
        let writer = self.writer().await?;
        // Orders have nothing to do with the broker.
        let _alone = match request.operation {
            Operation::Order(_) => None,
            _ => Some(self.queues.lock().await),
        };
        operation::plan(&self.operating(&writer), request, stop).await
    }

    /// Runs a plan to its end, or until it or everything is stopped. `confirmed`: what was typed.
    ///
    /// # Errors
    /// When the console is locked, and as [`operation::run`].
    pub async fn run(
        &self,
        plan: &Plan,
        confirmed: &str,
        progress: watch::Sender<Progress>,
        stop: &CancellationToken,
    ) -> Result<operation::Outcome, PlanError> {
        let _running = self.running.lock().await;
        let writer = self.writer().await?;
        let (stop, id) = (stop.child_token(), plan.request.id);
        {
            let mut halting = self.halting.lock().unwrap_or_else(PoisonError::into_inner);
            if halting.told == Some(id) {
                stop.cancel();
            }
            halting.running = Some((id, stop.clone()));
        }
        let (ctx, confirmation) = (self.operating(&writer), Confirmation::Typed(confirmed));
        Box::pin(operation::run(&ctx, plan, confirmation, &progress, &stop)).await
    }

    fn operating<'a>(&'a self, writer: &'a Writer) -> Operating<'a> {
        let broker = self.broker.as_ref().map_err(String::as_str);
        Operating::new(writer, broker, Arc::clone(&self.clock)).timed(&self.server)
    }

    /// Stops what runs this operation, after what is under way.
    pub fn halt(&self, id: Uuid) {
        let mut halting = self.halting.lock().unwrap_or_else(PoisonError::into_inner);
        halting.told = Some(id);
        if let Some((running, stop)) = &halting.running
            && *running == id
        {
            stop.cancel();
        }
    }

    /// Records that personal data is looked at, and why; tells where the record is.
    pub(super) async fn reveal(&self, reason: &str, target: String) -> Result<String, String> {
        let opened = self.opened().ok_or("not connected yet")?;
        let targets = vec![target];
        let reveal = Reveal { at: self.now(), targets, reason: reason.to_owned() };
        match audit::revealed(&opened.trail, &reveal).await {
            Ok(RevealRecord::Audit(number)) => Ok(format!("recorded as #{number}")),
            Ok(RevealRecord::Local(path)) => Ok(format!("recorded in {}", path.display())),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Records a search for words of people; only after it answers may the answer be shown.
    pub async fn searched(&self, query: &Query, found: usize) -> Result<(), db::Error> {
        let opened = self.opened().ok_or(db::Error::Cancelled)?;
        let file = config::state_dir().join(record::FILE);
        record::recorded(file, query, found, &opened.operator, self.now()).await
    }

    /// The newest records of what operators did.
    pub async fn records(
        &self,
        filter: &Filter,
        limit: i64,
        stop: &CancellationToken,
    ) -> Result<Vec<Recorded>, db::Error> {
        let opened = self.opened().ok_or(db::Error::Cancelled)?;
        audit::list(&opened.db, filter, limit, stop).await
    }

    /// The name records of this console carry.
    #[must_use]
    pub fn operator(&self) -> &str {
        &self.operator.name
    }

    /// Writes a table to the working directory in three forms; yields what to tell.
    pub async fn export(&self, name: &str, table: Table) -> Result<String, String> {
        let dir = self.exports.clone();
        let stamp = self.now().format("%Y%m%dT%H%M%SZ");
        let base = format!("orderscope-{name}-{stamp}");
        let rows = table.rows.len();
        let told = format!("{rows} rows to {}/{base}.csv, .json and .md", dir.display());
        let written = tokio::task::spawn_blocking(move || {
            for (ending, form) in [("csv", Form::Csv), ("json", Form::Json), ("md", Form::Markdown)]
            {
                let path = dir.join(format!("{base}.{ending}"));
                let failed =
                    |error: std::io::Error| format!("cannot write {}: {error}", path.display());
                // Never over an older export.
                let mut file = files::create(&path).map_err(failed)?;
                table.export(form, &mut file).and_then(|()| file.flush()).map_err(failed)?;
            }
            Ok(told)
        });
        written.await.unwrap_or_else(|error| Err(error.to_string()))
    }

    /// Reads what was remembered; a damaged file is told in the log and costs only the memory.
    pub(super) async fn recall(&self) -> Remembered {
        let path = SavedState::path(&self.context.name);
        let read = tokio::task::spawn_blocking(move || SavedState::read(&path)).await;
        let file = match read {
            Ok(Ok(file)) => file,
            Ok(Err(error)) => {
                tracing::warn!(error, "nothing was recalled");
                SavedState::default()
            }
            Err(error) => {
                tracing::warn!(%error, "nothing was recalled");
                SavedState::default()
            }
        };
        let view = |(key, place): (u8, String)| (key, Route::of(&place));
        Remembered {
            bookmarks: file.bookmarks,
            views: file.views.into_iter().map(view).collect(),
            searches: file.searches,
        }
    }

    /// Writes what is to be remembered.
    pub(super) async fn save(&self, kept: &Remembered) -> Result<(), String> {
        let path = SavedState::path(&self.context.name);
        let file = SavedState {
            bookmarks: kept.bookmarks.clone(),
            views: kept.views.iter().map(|(key, route)| (*key, route.to_string())).collect(),
            searches: kept.searches.clone(),
        };
        let written = tokio::task::spawn_blocking(move || file.write(&path));
        written.await.unwrap_or_else(|error| Err(error.to_string()))
    }

    /// Leaves the database; an operation that was told to stop may finish its message and record its end.
    pub(super) async fn close(&self) {
        let _ = tokio::time::timeout(ENDING, self.running.lock()).await;
        self.lock().await;
        if let Some(opened) = self.opened()
            && let Some(session) = opened.session.lock().await.take()
        {
            session.close().await;
        }
    }
}
