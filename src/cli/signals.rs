//! Ctrl-C and SIGTERM while a verb works: it finishes what is under way and tells what it did.

use std::{io, pin::pin};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Runs `work` to its end, and beside it `reporting`, which tells its progress. A signal fires `stop`; when to end is
/// the work's own decision.
///
/// # Errors
/// When signals cannot be listened for; nothing was begun then.
pub(super) async fn see_through<T>(
    work: impl Future<Output = T>,
    stop: &CancellationToken,
    reporting: impl Future<Output = ()>,
) -> io::Result<T> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (mut work, mut reporting) = (pin!(work), pin!(reporting));
    let mut all_told = false;
    loop {
        tokio::select! {
            ended = &mut work => return Ok(ended),
            _ = interrupt.recv() => stop.cancel(),
            _ = terminate.recv() => stop.cancel(),
            () = &mut reporting, if !all_told => all_told = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_goes_on_when_nothing_is_left_to_tell() {
        let stop = CancellationToken::new();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let work = async { receiver.await.unwrap() };
        let reporting = async { sender.send(7).unwrap() };
        assert_eq!(see_through(work, &stop, reporting).await.unwrap(), 7);
        assert!(!stop.is_cancelled());
    }

    #[tokio::test]
    async fn a_signal_stops_the_work_which_ends_by_itself() {
        let stop = CancellationToken::new();
        let work = async {
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM)
                .unwrap();
            stop.cancelled().await;
            "what was under way is done"
        };
        let ended = see_through(work, &stop, std::future::pending()).await.unwrap();
        assert_eq!(ended, "what was under way is done");
    }
}
