//! Signals that end or suspend the program. A lost terminal makes the input reader spin, and a server may not answer
//! while the console leaves it: a process that has not ended by itself after [`PATIENCE`] is ended.

use std::{thread, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc::Sender,
};
use tokio_util::sync::CancellationToken;

use crate::tui::app::Msg;

/// How long the console may take to end by itself; a running operation has two seconds of it to record where it
/// stopped.
const PATIENCE: Duration = Duration::from_secs(3);

/// Cancels `stop` at SIGTERM, SIGHUP or SIGINT; the signal's number decides the exit code.
///
/// # Errors
/// When the signals cannot be listened for.
#[expect(clippy::disallowed_methods, reason = "signals come at any time, beside the loop")]
pub(super) fn listen(stop: CancellationToken) -> std::io::Result<tokio::task::JoinHandle<i32>> {
    let mut term = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::task::spawn(async move {
        let number = tokio::select! {
            _ = term.recv() => 15,
            _ = hangup.recv() => 1,
            _ = interrupt.recv() => 2,
        };
        stop.cancel();
        thread::spawn(move || {
            thread::sleep(PATIENCE);
            crate::tui::term::leave();
            std::process::exit(128 + number);
        });
        number
    }))
}

/// Suspends the console at SIGTSTP as Ctrl+Z does: the terminal is given back first.
///
/// # Errors
/// When the signal cannot be listened for.
#[expect(clippy::disallowed_methods, reason = "the signal comes at any time, beside the loop")]
pub(super) fn suspends(inbox: Sender<Msg>) -> std::io::Result<()> {
    let number = rustix::process::Signal::TSTP.as_raw();
    let mut stop = signal(SignalKind::from_raw(number))?;
    tokio::task::spawn(async move {
        while stop.recv().await.is_some() {
            if inbox.send(Msg::Suspend).await.is_err() {
                return;
            }
        }
    });
    Ok(())
}
