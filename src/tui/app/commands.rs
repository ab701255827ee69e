//! Commands that take an argument, typed into the palette: `:interval 10s`.

use std::time::Duration;

use super::{App, Msg};
use crate::tui::{shared::Keep, ui::theme::Theme};

/// One command of the palette.
pub struct Command {
    pub name: &'static str,
    /// How its argument is written.
    pub argument: &'static str,
    pub help: &'static str,
    run: fn(&App, &str) -> Result<Msg, String>,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Every command.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "interval",
        argument: "SECONDS",
        help: "Refresh by itself this often",
        run: |_, text| {
            let seconds: Result<u64, _> = text.trim_end_matches('s').trim().parse();
            match seconds {
                Ok(seconds @ 1..=3600) => Ok(Msg::Interval(Duration::from_secs(seconds))),
                _ => Err("interval takes seconds from 1 to 3600, as in :interval 10".to_owned()),
            }
        },
    },
    Command {
        name: "zone",
        argument: "ZONE",
        help: "Show times in this zone: UTC, local or a name such as Asia/Tokyo",
        run: |_, text| crate::config::zone(text).map(Msg::Zone).map_err(|error| error.to_string()),
    },
    Command {
        name: "theme",
        argument: "ansi|dusk|paper|mono",
        help: "Change the colours",
        run: |_, text| {
            let names = Theme::ALL.map(|theme| theme.name).join(", ");
            Theme::named(text)
                .map(Msg::Theme)
                .ok_or_else(|| format!("there is no theme {text:?}; choose one of {names}"))
        },
    },
    Command {
        name: "mouse",
        argument: "on|off",
        help: "Let go of the mouse, so that the terminal can select text",
        run: |_, text| match text {
            "on" => Ok(Msg::Mouse(true)),
            "off" => Ok(Msg::Mouse(false)),
            _ => Err("mouse is on or off".to_owned()),
        },
    },
    Command {
        name: "save",
        argument: "2..9",
        help: "Keep this place under a function key",
        run: |app, text| {
            let key = text.trim_start_matches(['F', 'f']).parse().ok();
            let key = key.filter(|key| (2..=9).contains(key));
            let route = app.screens.route();
            match (key, route) {
                (Some(key), Some(route)) => Ok(Msg::Keep(Keep::View(key, route))),
                (None, _) => Err("save takes a function key from 2 to 9, as in :save 3".to_owned()),
                (_, None) => Err("there is no place here to save yet".to_owned()),
            }
        },
    },
    Command {
        name: "open",
        argument: "ops://…",
        help: "Go to a link",
        run: |app, text| match app.screens.read(text) {
            Ok((context, route)) if context == app.shared.context() => Ok(Msg::Go(route)),
            Ok((context, _)) => Err(format!(
                "that link is for {context}; this console is connected to {}",
                app.shared.context()
            )),
            Err(error) => Err(error.to_string()),
        },
    },
];

/// Runs `name argument` if it is a command; `None` when there is no such command.
pub(super) fn run(app: &App, line: &str) -> Option<Result<Msg, String>> {
    let (name, argument) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    let command = COMMANDS.iter().find(|command| command.name == name)?;
    Some((command.run)(app, argument.trim()))
}
