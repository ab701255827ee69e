//! Carries out effects: background requests in lanes, with cancelling that reaches PostgreSQL.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    session::exit::ExitCode,
    tui::{
        app::{Ended, Msg, Purpose, Request},
        change,
        effect::Lane,
        journal, operations,
        services::{Cx, Services},
        shared::Link,
    },
    workers::relay::Stats,
};

/// A relay that delivers has new figures all the time; nobody reads them faster.
const FIGURES: Duration = Duration::from_secs(1);

/// Spawns requests and sends their answers to the loop.
#[derive(Debug)]
pub(super) struct Runner {
    services: Arc<Services>,
    inbox: mpsc::Sender<Msg>,
    lanes: HashMap<&'static str, CancellationToken>,
    all: CancellationToken,
}

impl Runner {
    pub(super) fn new(services: Arc<Services>, inbox: mpsc::Sender<Msg>) -> Self {
        Self { services, inbox, lanes: HashMap::new(), all: CancellationToken::new() }
    }

    /// What requests need from outside.
    pub(super) fn services(&self) -> &Services {
        &self.services
    }

    /// Starts a request; in a `Latest` lane the one before is stopped first.
    pub(super) fn run(&mut self, lane: Lane, request: Request) {
        let stop = self.all.child_token();
        if let Lane::Latest(name) = lane {
            self.stop(name);
            self.lanes.insert(name, stop.clone());
        }
        let cx = Cx { services: Arc::clone(&self.services), stop };
        let inbox = self.inbox.clone();
        watched(carry_out(request, cx, inbox.clone()), lane, inbox);
    }

    /// Tells the loop what the relay beside the console tells of itself, when that changes.
    #[expect(clippy::disallowed_methods, reason = "the console's work is spawned here")]
    pub(super) fn follow(&self, mut relay: watch::Receiver<Stats>) {
        let (inbox, stop) = (self.inbox.clone(), self.all.clone());
        tokio::spawn(async move {
            let reporting = async {
                relay.mark_changed();
                while relay.changed().await.is_ok() {
                    let stats = Arc::new(relay.borrow_and_update().clone());
                    if inbox.send(Msg::Relayed(stats)).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(FIGURES).await;
                }
            };
            tokio::select! {
                () = reporting => {}
                () = stop.cancelled() => {}
            }
        });
    }

    /// Stops what runs in a lane.
    pub(super) fn stop(&mut self, lane: &'static str) {
        if let Some(token) = self.lanes.remove(lane) {
            token.cancel();
        }
    }

    /// Stops everything, at the end.
    pub(super) fn stop_all(&self) {
        self.all.cancel();
    }
}

/// Runs a request beside the loop; should it crash, the person is told and the console lives on.
#[expect(clippy::disallowed_methods, reason = "the console's work is spawned here")]
fn watched(work: impl Future<Output = ()> + Send + 'static, lane: Lane, inbox: mpsc::Sender<Msg>) {
    let task = tokio::spawn(work);
    tokio::spawn(async move {
        if let Err(error) = task.await {
            // Not the request itself: what people search for may be personal.
            tracing::error!(%error, ?lane, "a request crashed");
            let told = "an internal error stopped a request; the log has the details".to_owned();
            let _ = inbox.send(Msg::Failed(told)).await;
        }
    });
}

async fn carry_out(request: Request, cx: Cx, inbox: mpsc::Sender<Msg>) {
    let answer = match request {
        Request::Screen(request) => Msg::Screen(request.load(cx).await),
        Request::Change(request) => {
            // A full box only means that nobody could have read this line.
            let tell = |msg| drop(inbox.try_send(Msg::Change(msg)));
            Msg::Change(change::load(request, cx, tell).await)
        }
        Request::Journal(request) => Msg::Journal(journal::load(request, cx).await),
        Request::Operations(request) => Msg::Operations(operations::load(request, cx).await),
        Request::Connect => {
            // A full inbox only means that nobody could have read this line.
            let progress = |doing| {
                let _ = inbox.try_send(Msg::Linked(Link::Connecting { doing }));
            };
            let answer = match cx.services.connect(&progress).await {
                Ok(place) => Msg::Linked(Link::Up(Arc::new(place))),
                Err(error) => {
                    Msg::Ended(Ended { message: error.to_string(), code: error.exit_code() })
                }
            };
            let _ = inbox.send(answer).await;
            // As long as the console is open.
            let tell = |news| drop(inbox.try_send(Msg::News(news)));
            return cx.services.keep_watch(&cx.stop, &tell).await;
        }
        Request::Recall => Msg::Remembered(cx.services.recall().await),
        Request::Save(kept) => match cx.services.save(&kept).await {
            Ok(()) => return,
            Err(error) => Msg::Failed(error),
        },
        Request::Unlock { reason } => {
            let result = cx.services.unlock(&reason).await;
            Msg::Granted(Purpose::Unlock, reason, result)
        }
        Request::Lock => {
            cx.services.lock().await;
            return;
        }
        Request::Reveal { reason, target } => {
            let result = cx.services.reveal(&reason, target).await;
            Msg::Granted(Purpose::Reveal, reason, result)
        }
    };
    // The loop has ended when nobody listens any more.
    let _ = inbox.send(answer).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_that_crashes_is_told_and_stops_nothing_else() {
        let (sender, mut inbox) = mpsc::channel(4);
        watched(async { panic!("in the background") }, Lane::Every, sender.clone());
        let told = inbox.recv().await;
        assert!(
            matches!(&told, Some(Msg::Failed(why)) if why.contains("the log has the details")),
            "{told:?}"
        );
        let answer = sender.clone();
        let work = async move { answer.send(Msg::Quit).await.unwrap() };
        watched(work, Lane::Every, sender);
        assert!(matches!(inbox.recv().await, Some(Msg::Quit)));
    }
}
