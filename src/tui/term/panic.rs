//! Panics and errors: the report reaches the log and the person, never a half-drawn screen.

use std::{io::Write, panic, thread};

use super::leave;

/// Installs error and panic reports. A panic of the calling thread (which owns the terminal) gives
/// the terminal back and prints; any other thread's panic is only logged, and its task's `JoinError`
/// tells the console, which lives on.
///
/// # Errors
/// When hooks were installed before.
pub fn install() -> color_eyre::Result<()> {
    let (report, errors) =
        color_eyre::config::HookBuilder::default().display_env_section(false).into_hooks();
    errors.install()?;
    let owner = thread::current().id();
    panic::set_hook(Box::new(move |info| {
        tracing::error!(panic = %info, "panicked");
        if thread::current().id() == owner {
            leave();
            // The terminal may be gone; eprintln! would panic again.
            let _ = writeln!(std::io::stderr(), "{}", report.panic_report(info));
        }
    }));
    Ok(())
}

/// Panics if a test asks for it: only debug builds look at `ORDERSCOPE_PANIC_KEY`, at F12. There is no
/// other way to see what a panic of the thread with the terminal leaves behind.
#[expect(clippy::panic, reason = "what a panic leaves behind cannot be tested without one")]
pub fn provoke() {
    if cfg!(debug_assertions) && std::env::var_os("ORDERSCOPE_PANIC_KEY").is_some() {
        panic::panic_any("asked for with ORDERSCOPE_PANIC_KEY");
    }
}
