//! The one loop. Owns the clock and the channels; decides nothing.

mod console;
mod effects;
mod signals;

use std::{io, time::Duration};

use crossterm::event::Event;
use futures::{Stream, StreamExt};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

pub use self::{
    console::{Options, run},
    effects::Cx,
};

/// Most messages taken before the next frame, so that a flood cannot starve drawing.
const BURST: usize = 256;

/// What the loop drives. The console talks to a terminal; tests count calls.
pub(crate) trait Program {
    type Msg;
    fn input(&mut self, event: Event, now: Instant);
    fn update(&mut self, msg: Self::Msg, now: Instant);
    /// When something on screen changes by itself next: an age, a spinner, a refresh, a toast.
    fn wakes_at(&self, now: Instant) -> Option<Instant>;
    /// That moment has come.
    fn wake(&mut self, now: Instant);
    fn draw(&mut self, now: Instant) -> io::Result<()>;
    /// Whether the loop should return: to end, or to hand the terminal to the shell for a while.
    fn pauses(&self) -> bool;
}

/// Runs until the program pauses, the input ends or `stop` fires. Draws when something changed, once
/// per burst, at most once per `frame`.
pub(crate) async fn drive<P: Program>(
    app: &mut P,
    mut input: impl Stream<Item = io::Result<Event>> + Unpin,
    inbox: &mut mpsc::Receiver<P::Msg>,
    stop: &CancellationToken,
    frame: Duration,
) -> io::Result<()> {
    let mut drawn: Option<Instant> = None;
    let mut dirty = true;
    while !app.pauses() {
        let now = Instant::now();
        let due = dirty.then(|| drawn.map_or(now, |at| at + frame));
        let wake = app.wakes_at(now);
        let until = [due, wake].into_iter().flatten().min();
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            event = input.next() => match event.transpose()? {
                Some(event) => { app.input(event, Instant::now()); dirty = true; }
                None => break,
            },
            () = async { tokio::time::sleep_until(until.unwrap_or(now)).await }, if until.is_some() => {
                let now = Instant::now();
                if wake.is_some_and(|at| at <= now) {
                    app.wake(now);
                    dirty = true;
                }
                if drawn.is_none_or(|at| at + frame <= now) && dirty {
                    app.draw(now)?;
                    drawn = Some(now);
                    dirty = false;
                }
            }
            Some(msg) = inbox.recv() => {
                app.update(msg, Instant::now());
                for msg in std::iter::from_fn(|| inbox.try_recv().ok()).take(BURST) {
                    app.update(msg, Instant::now());
                }
                dirty = true;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Count {
        updates: usize,
        draws: usize,
        wakes: usize,
        next: Option<Instant>,
    }

    impl Program for Count {
        type Msg = ();
        fn input(&mut self, _: Event, _: Instant) {}
        fn update(&mut self, (): (), _: Instant) {
            self.updates += 1;
        }
        fn wakes_at(&self, _: Instant) -> Option<Instant> {
            self.next
        }
        fn wake(&mut self, now: Instant) {
            self.wakes += 1;
            self.next = Some(now + Duration::from_secs(60));
        }
        fn draw(&mut self, _: Instant) -> io::Result<()> {
            self.draws += 1;
            Ok(())
        }
        fn pauses(&self) -> bool {
            false
        }
    }

    async fn hour_with_a_burst(mut app: Count) -> Count {
        let (tx, mut inbox) = mpsc::channel(1024);
        let stop = CancellationToken::new();
        let quit = stop.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            for () in std::iter::repeat_n((), 200) {
                tx.send(()).await.unwrap();
            }
            tokio::time::sleep(Duration::from_secs(3600)).await;
            quit.cancel();
        });
        let frame = Duration::from_millis(16);
        drive(&mut app, futures::stream::pending(), &mut inbox, &stop, frame).await.unwrap();
        app
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_costs_one_frame_and_idleness_none() {
        let app = hour_with_a_burst(Count::default()).await;
        assert_eq!(app.updates, 200);
        assert!(app.draws <= 3, "first paint, then the burst: {}", app.draws);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_wakes_and_draws_once_each_time() {
        let next = Some(Instant::now() + Duration::from_secs(60));
        let app = hour_with_a_burst(Count { next, ..Count::default() }).await;
        assert_eq!(app.wakes, 60);
        assert!(app.draws <= 63, "{}", app.draws);
    }
}
