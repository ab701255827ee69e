//! Entering and leaving the full screen. Whatever happens, what was switched on is switched off once.

use std::{
    io::{self, Write, stdout},
    sync::atomic::{AtomicBool, Ordering},
};

use crossterm::{
    cursor::Show,
    event::{
        DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste,
        EnableFocusChange, EnableMouseCapture,
    },
    execute, queue,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};

/// Whether the terminal is ours. Global because a panic hook has nothing else to ask.
static INSIDE: AtomicBool = AtomicBool::new(false);

/// The terminal in full-screen mode; dropping it gives the terminal back.
#[derive(Debug)]
pub struct Guard(());

impl Guard {
    /// Switches to the alternate screen, raw mode, bracketed paste, focus reports and, if wanted, the
    /// mouse.
    ///
    /// # Errors
    /// When standard output is no terminal or refuses.
    pub fn enter(mouse: bool) -> io::Result<Self> {
        enable_raw_mode()?;
        INSIDE.store(true, Ordering::SeqCst);
        let guard = Self(());
        let mut out = stdout();
        queue!(out, EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange)?;
        if mouse {
            queue!(out, EnableMouseCapture)?;
        }
        out.flush()?;
        Ok(guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        leave();
    }
}

/// Gives the terminal back, once. Errors are ignored: the terminal may be gone, and there is nobody
/// left to tell.
pub fn leave() {
    if !INSIDE.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = stdout();
    let _ = execute!(
        out,
        DisableMouseCapture,
        DisableFocusChange,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        Show
    );
    let _ = disable_raw_mode();
}
