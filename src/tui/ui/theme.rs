//! Styles by role. Screens ask for `danger`, never for red, and never paint the background, so that
//! light and dark terminals both work. Colour is never the only sign of anything.

use ratatui::style::{Color, Modifier, Style};

/// One style per role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    pub name: &'static str,
    pub text: Style,
    /// Secondary words: labels, hints, units.
    pub muted: Style,
    pub title: Style,
    pub border: Style,
    /// The border of the pane that has the focus.
    pub focus: Style,
    pub header: Style,
    /// The current tab, the current row.
    pub cursor: Style,
    /// The chosen row of a pane without focus.
    pub chosen: Style,
    pub key: Style,
    pub ok: Style,
    pub warn: Style,
    pub danger: Style,
    pub info: Style,
    pub accent: Style,
    /// Something production: named in text as well.
    pub production: Style,
    pub marked: Style,
}

const BOLD: Modifier = Modifier::BOLD;
const PLAIN: Style = Style::new();

impl Theme {
    /// Every role told apart by weight alone: emits no colour at all, as `NO_COLOR` asks. (crossterm
    /// 0.29 resets reverse video with each coloured cell under `NO_COLOR`, so none may be used.)
    pub const MONO: Self = Self {
        name: "mono",
        text: PLAIN,
        muted: PLAIN.add_modifier(Modifier::DIM),
        title: PLAIN.add_modifier(BOLD),
        border: PLAIN.add_modifier(Modifier::DIM),
        focus: PLAIN,
        header: PLAIN.add_modifier(BOLD),
        cursor: PLAIN.add_modifier(Modifier::REVERSED),
        chosen: PLAIN.add_modifier(Modifier::UNDERLINED),
        key: PLAIN.add_modifier(BOLD),
        ok: PLAIN,
        warn: PLAIN.add_modifier(BOLD),
        danger: PLAIN.add_modifier(BOLD.union(Modifier::UNDERLINED)),
        info: PLAIN,
        accent: PLAIN.add_modifier(BOLD),
        production: PLAIN.add_modifier(Modifier::REVERSED.union(BOLD)),
        marked: PLAIN.add_modifier(BOLD),
    };

    /// The terminal's own sixteen colours.
    pub const ANSI: Self = Self {
        name: "ansi",
        text: PLAIN,
        muted: PLAIN.add_modifier(Modifier::DIM),
        title: PLAIN.add_modifier(BOLD),
        border: PLAIN.add_modifier(Modifier::DIM),
        focus: PLAIN.fg(Color::Cyan),
        header: PLAIN.add_modifier(BOLD),
        // One colour for the whole row: colours of its parts, reversed, would be patches.
        cursor: PLAIN.fg(Color::Reset).bg(Color::Reset).add_modifier(Modifier::REVERSED),
        chosen: PLAIN.add_modifier(Modifier::UNDERLINED),
        key: PLAIN.fg(Color::Cyan).add_modifier(BOLD),
        ok: PLAIN.fg(Color::Green),
        warn: PLAIN.fg(Color::Yellow).add_modifier(BOLD),
        danger: PLAIN.fg(Color::Red).add_modifier(BOLD),
        // The darker blue cannot be read on black.
        info: PLAIN.fg(Color::LightBlue),
        accent: PLAIN.fg(Color::Cyan),
        production: PLAIN.fg(Color::Red).add_modifier(Modifier::REVERSED.union(BOLD)),
        marked: PLAIN.fg(Color::Magenta).add_modifier(BOLD),
    };

    /// Soft true colours for dark terminals; chosen by default only where the terminal says it can.
    pub const DUSK: Self = Self {
        name: "dusk",
        text: PLAIN,
        muted: PLAIN.fg(Color::Rgb(128, 138, 158)),
        title: PLAIN.fg(Color::Rgb(214, 222, 235)).add_modifier(BOLD),
        border: PLAIN.fg(Color::Rgb(74, 84, 104)),
        focus: PLAIN.fg(Color::Rgb(125, 207, 190)),
        header: PLAIN.fg(Color::Rgb(158, 170, 190)).add_modifier(BOLD),
        cursor: PLAIN.fg(Color::Rgb(20, 26, 36)).bg(Color::Rgb(125, 207, 190)),
        chosen: PLAIN.fg(Color::Rgb(125, 207, 190)).add_modifier(Modifier::UNDERLINED),
        key: PLAIN.fg(Color::Rgb(125, 207, 190)).add_modifier(BOLD),
        ok: PLAIN.fg(Color::Rgb(140, 200, 130)),
        warn: PLAIN.fg(Color::Rgb(235, 190, 110)).add_modifier(BOLD),
        danger: PLAIN.fg(Color::Rgb(240, 120, 120)).add_modifier(BOLD),
        info: PLAIN.fg(Color::Rgb(130, 170, 240)),
        accent: PLAIN.fg(Color::Rgb(180, 160, 240)),
        production: PLAIN
            .fg(Color::Rgb(20, 26, 36))
            .bg(Color::Rgb(240, 120, 120))
            .add_modifier(BOLD),
        marked: PLAIN.fg(Color::Rgb(230, 150, 220)).add_modifier(BOLD),
    };

    /// The same for light terminals.
    pub const PAPER: Self = Self {
        name: "paper",
        text: PLAIN,
        muted: PLAIN.fg(Color::Rgb(105, 112, 125)),
        title: PLAIN.fg(Color::Rgb(30, 38, 52)).add_modifier(BOLD),
        border: PLAIN.fg(Color::Rgb(165, 172, 185)),
        focus: PLAIN.fg(Color::Rgb(0, 115, 105)),
        header: PLAIN.fg(Color::Rgb(70, 80, 96)).add_modifier(BOLD),
        cursor: PLAIN.fg(Color::Rgb(250, 250, 248)).bg(Color::Rgb(0, 115, 105)),
        chosen: PLAIN.fg(Color::Rgb(0, 115, 105)).add_modifier(Modifier::UNDERLINED),
        key: PLAIN.fg(Color::Rgb(0, 115, 105)).add_modifier(BOLD),
        ok: PLAIN.fg(Color::Rgb(40, 120, 50)),
        warn: PLAIN.fg(Color::Rgb(155, 95, 0)).add_modifier(BOLD),
        danger: PLAIN.fg(Color::Rgb(180, 30, 40)).add_modifier(BOLD),
        info: PLAIN.fg(Color::Rgb(30, 80, 170)),
        accent: PLAIN.fg(Color::Rgb(105, 60, 160)),
        production: PLAIN
            .fg(Color::Rgb(250, 250, 248))
            .bg(Color::Rgb(180, 30, 40))
            .add_modifier(BOLD),
        marked: PLAIN.fg(Color::Rgb(160, 30, 130)).add_modifier(BOLD),
    };

    pub const ALL: [Self; 4] = [Self::ANSI, Self::DUSK, Self::PAPER, Self::MONO];

    /// The same with every frame in the colour of danger: what is pressed now may write.
    #[must_use]
    pub const fn alarmed(self) -> Self {
        let red = Style { fg: self.danger.fg, ..PLAIN };
        Self { border: red, focus: red.add_modifier(BOLD), ..self }
    }

    /// The theme of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.name == name)
    }
}
