//! The events of the terminal, with the waits that distinguish its replies from keys.

use std::{io, time::Duration};

use crossterm::event::Event;
use futures::{Stream, StreamExt, stream};
use tokio::time::{Instant, timeout_at};

use crate::tui::term::Filter;

/// The events of a terminal without its replies.
pub fn without_replies(
    events: impl Stream<Item = io::Result<Event>> + Unpin,
) -> impl Stream<Item = io::Result<Event>> + Unpin {
    let start = (events, Filter::default(), Deadline::default(), Vec::new());
    Box::pin(stream::unfold(
        start,
        |(mut events, mut filter, mut deadline, mut ready)| async move {
            loop {
                if !ready.is_empty() {
                    let event = ready.remove(0);
                    return Some((Ok(event), (events, filter, deadline, ready)));
                }
                let next = match deadline.of(filter.patience()) {
                    None => Ok(events.next().await),
                    Some(at) => timeout_at(at, events.next()).await,
                };
                match next {
                    Err(_) => ready = filter.expire(),
                    Ok(Some(Ok(event))) => ready = filter.take(event),
                    Ok(Some(Err(error))) => {
                        return Some((Err(error), (events, filter, deadline, ready)));
                    }
                    Ok(None) => {
                        ready = filter.expire();
                        if ready.is_empty() {
                            return None;
                        }
                    }
                }
            }
        },
    ))
}

/// The end of the present wait, which starts once, not with every event.
#[derive(Debug, Default)]
struct Deadline(Option<(Duration, Instant)>);

impl Deadline {
    fn of(&mut self, patience: Option<Duration>) -> Option<Instant> {
        self.0 = patience.map(|limit| match self.0 {
            Some((known, at)) if known == limit => (limit, at),
            _ => (limit, Instant::now() + limit),
        });
        self.0.map(|(_, at)| at)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep_until;

    use super::*;
    use crate::tui::term::replies::tests::read;

    /// Events at these milliseconds, and when each was passed on.
    async fn timed(events: Vec<(u64, Event)>) -> Vec<(u128, Event)> {
        let began = Instant::now();
        let source = stream::iter(events).then(|(at, event)| async move {
            sleep_until(began + Duration::from_millis(at)).await;
            Ok(event)
        });
        let out = without_replies(Box::pin(source));
        out.map(|event| (began.elapsed().as_millis(), event.unwrap())).collect().await
    }

    #[tokio::test(start_paused = true)]
    async fn an_escape_is_held_for_a_moment_and_a_reply_for_longer() {
        let [esc, j] = [read("\x1b").remove(0), read("j").remove(0)];
        let out = timed(vec![(0, esc.clone()), (500, j.clone())]).await;
        assert_eq!(out, [(40, esc), (500, j.clone())]);
        // In three pieces, with pauses.
        let pieces = [(0, "\x1b]11;rgb:1e"), (900, "1e/1e1e/"), (1_800, "2e2e\x07")];
        let mut events: Vec<_> = pieces
            .into_iter()
            .flat_map(|(at, piece)| read(piece).into_iter().map(move |event| (at, event)))
            .collect();
        events.push((1_900, j.clone()));
        assert_eq!(timed(events.clone()).await, [(1_900, j.clone())]);
        // One that never ends does not take keys for good, however they follow each other.
        events.truncate(5);
        events.extend([1_000, 2_000, 3_500, 4_000].map(|at| (at, j.clone())));
        assert_eq!(timed(events).await, [(3_500, j.clone()), (4_000, j)]);
    }
}
