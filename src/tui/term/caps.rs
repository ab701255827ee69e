//! What the terminal can do, read once from the environment at start.

use std::{env, time::Duration};

use crate::tui::ui::theme::Theme;

/// The environment variables that matter here, so that tests need not set the real ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Env {
    pub no_color: bool,
    pub term: String,
    pub ssh: bool,
    pub tmux: bool,
}

impl Env {
    /// What the terminal says of itself.
    #[must_use]
    pub fn read() -> Self {
        let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        Self {
            no_color: set("NO_COLOR"),
            term: env::var("TERM").unwrap_or_default(),
            ssh: set("SSH_CONNECTION") || set("SSH_TTY"),
            tmux: set("TMUX"),
        }
    }
}

/// What follows from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Caps {
    pub theme: Theme,
    /// Shortest time between two frames: slower over SSH.
    pub frame: Duration,
    /// Copies must be wrapped for tmux to pass them on.
    pub tmux: bool,
}

impl Caps {
    /// Decides once. `theme` is what the configuration or the command line asks for; `NO_COLOR` wins
    /// over it, as that convention demands.
    #[must_use]
    pub fn new(env: &Env, theme: Option<Theme>) -> Self {
        let theme = if env.no_color || env.term == "dumb" {
            Theme::MONO
        } else {
            theme.unwrap_or(Theme::ANSI)
        };
        let frame = Duration::from_millis(if env.ssh { 33 } else { 16 });
        Self { theme, frame, tmux: env.tmux }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_wins() {
        let env = Env { no_color: true, ..Env::default() };
        assert_eq!(Caps::new(&env, Some(Theme::DUSK)).theme, Theme::MONO);
        assert_eq!(Caps::new(&Env::default(), Some(Theme::DUSK)).theme, Theme::DUSK);
        let ssh = Env { ssh: true, ..Env::default() };
        assert_eq!(Caps::new(&ssh, None).frame, Duration::from_millis(33));
    }
}
