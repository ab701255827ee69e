//! The one loop. Owns the clock and the channels; decides nothing.

mod console;
mod effects;
mod input;
mod signals;

use std::{io, time::Duration};

use crossterm::event::Event;
use futures::{Stream, StreamExt};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

pub use self::console::{Options, run};

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

/// What a person does is shown sooner than what happens by itself: a key waits for so small a part of a frame
/// after the one before it, and not at all after a pause.
const KEYS_PER_FRAME: u32 = 4;

/// Runs until the program pauses, the input ends or `stop` fires. Draws when something changed, once
/// per burst, at most once per `frame`; after input at most once per quarter of it.
pub(crate) async fn drive<P: Program>(
    app: &mut P,
    mut input: impl Stream<Item = io::Result<Event>> + Unpin,
    inbox: &mut mpsc::Receiver<P::Msg>,
    stop: &CancellationToken,
    frame: Duration,
) -> io::Result<()> {
    let mut drawn: Option<Instant> = None;
    let (mut dirty, mut pressed) = (true, false);
    while !app.pauses() {
        let now = Instant::now();
        let least = if pressed { frame / KEYS_PER_FRAME } else { frame };
        let due = dirty.then(|| drawn.map_or(now, |at| at + least));
        let wake = app.wakes_at(now);
        let until = [due, wake].into_iter().flatten().min();
        // Input is listened to before anything is drawn: a key pressed at the first sight of a frame would lie
        // unread after the shell had the terminal.
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            event = input.next() => match event.transpose()? {
                Some(event) => {
                    app.input(event, Instant::now());
                    (dirty, pressed) = (true, true);
                }
                None => break,
            },
            () = async { tokio::time::sleep_until(until.unwrap_or(now)).await }, if until.is_some() => {
                let now = Instant::now();
                if wake.is_some_and(|at| at <= now) {
                    app.wake(now);
                    dirty = true;
                }
                if drawn.is_none_or(|at| at + least <= now) && dirty {
                    app.draw(now)?;
                    drawn = Some(now);
                    (dirty, pressed) = (false, false);
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
        keys: usize,
        drawn_at: Vec<Instant>,
    }

    impl Program for Count {
        type Msg = ();
        fn input(&mut self, _: Event, _: Instant) {
            self.keys += 1;
        }
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
        fn draw(&mut self, at: Instant) -> io::Result<()> {
            self.draws += 1;
            self.drawn_at.push(at);
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

    /// Keys at these milliseconds; yields when frames were drawn, likewise, after the first.
    async fn frames_of_keys(times: &[u64]) -> (usize, Vec<u128>) {
        let began = Instant::now();
        let (_tx, mut inbox) = mpsc::channel::<()>(1);
        let stop = CancellationToken::new();
        let keys = futures::stream::iter(times.to_vec()).then(|at| async move {
            tokio::time::sleep_until(began + Duration::from_millis(at)).await;
            Ok(Event::FocusGained)
        });
        let rest = futures::stream::once(async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(Event::FocusLost)
        });
        let mut app = Count::default();
        let frame = Duration::from_millis(16);
        let keys = Box::pin(keys.chain(rest));
        drive(&mut app, keys, &mut inbox, &stop, frame).await.unwrap();
        let drawn = app.drawn_at.iter().skip(1).map(|at| (*at - began).as_millis());
        (app.keys, drawn.collect())
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_after_a_pause_is_drawn_at_once() {
        assert_eq!(frames_of_keys(&[100, 200]).await.1, [100, 200]);
    }

    #[tokio::test(start_paused = true)]
    async fn keys_close_together_share_frames() {
        // The second waits for a quarter of a frame, and the third with it.
        assert_eq!(frames_of_keys(&[100, 101, 103]).await.1, [100, 104]);
        let flood = vec![100; 50];
        assert_eq!(frames_of_keys(&flood).await, (51, vec![100]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_wakes_and_draws_once_each_time() {
        let next = Some(Instant::now() + Duration::from_secs(60));
        let app = hour_with_a_burst(Count { next, ..Count::default() }).await;
        assert_eq!(app.wakes, 60);
        assert!(app.draws <= 63, "{}", app.draws);
    }
}
