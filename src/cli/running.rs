//! What every verb does that writes: reason, policy, database; and seeing an errand through.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    Failure, Outcome,
    args::{Global, RunArgs},
    clock, given, open, signals,
    telling::Telling,
};
use crate::{
    config::{Settings, choose},
    ops::{
        operator::Operator,
        plan::{Error, Writer},
        running,
    },
    session::{self, Session},
    workers::errand::{Progress, Tools},
};

/// Opens the database for work with the broker of that name, sees it through, and leaves everything in order.
pub(super) async fn with(
    args: &RunArgs,
    global: &Global,
    settings: &Settings,
    intent: &str,
    work: impl AsyncFnOnce(&Session, &Writer) -> Outcome,
) -> Outcome {
    opened(args, global, settings, async |session, writer| {
        running::permitted(writer, intent)?;
        work(session, writer).await
    })
    .await
}

/// Opens the database to write, does the work, and leaves everything in order.
pub(super) async fn opened(
    args: &RunArgs,
    global: &Global,
    settings: &Settings,
    work: impl AsyncFnOnce(&Session, &Writer) -> Outcome,
) -> Outcome {
    if !args.dry_run && args.reason.as_deref().is_none_or(|reason| reason.trim().is_empty()) {
        return Err(Failure::usage("--reason is needed: it goes on record"));
    }
    let context = choose(&given(global), settings)?;
    let policy = session::policy(&context, settings, global.read_only);
    if policy.read_only {
        return Err(Error::ReadOnly.into());
    }
    let session = open::open(global, settings).await?;
    let outcome = async {
        let operator = Operator::new(global.operator.as_deref(), session.layout.role());
        let operator = operator.map_err(|error| Failure::usage(error.to_string()))?;
        let writer = Writer::open(&session.db, operator, policy).await?;
        let outcome = work(&session, &writer).await;
        writer.close().await;
        outcome
    }
    .await;
    session.close().await;
    outcome
}

/// What an errand works with, and where it tells how far it is.
pub(super) fn tools(writer: &Writer) -> (Tools<'_>, watch::Receiver<Progress>) {
    let (progress, seen) = watch::channel(Progress::default());
    let stop = CancellationToken::new();
    (Tools { writer, clock: clock::handed(), stop, progress }, seen)
}

/// Runs an errand, telling what hinders it; a signal stops it after what is under way.
pub(super) async fn driven<T>(
    tools: &Tools<'_>,
    mut progress: watch::Receiver<Progress>,
    work: impl Future<Output = T>,
) -> Result<T, Failure> {
    let telling = async {
        let mut telling = Telling::default();
        while progress.changed().await.is_ok() {
            let Progress { hindered, warnings, .. } = progress.borrow_and_update().clone();
            telling.tell(hindered, &warnings);
        }
    };
    Ok(signals::see_through(work, &tools.stop, telling).await?)
}
