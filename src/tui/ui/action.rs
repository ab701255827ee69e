//! Actions are data. One row says how an action is called, reached, explained and judged; dispatch,
//! footer, `?`, palette, remapping, the lock, the user guide and the command-line equivalent come from it.

use std::collections::BTreeMap;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What an action may do to the database or beyond this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Risk {
    Look,
    Change,
    Destroy,
}

/// One action of a scope whose state is `S` and whose messages are `M`.
pub struct Action<S, M> {
    /// Stable name for the configuration, the palette and the docs: `timeline.diff`.
    pub name: &'static str,
    /// Default keys; a sequence is written with a space: `g g`.
    pub keys: &'static [&'static str],
    /// Two or three words, for the footer.
    pub title: &'static str,
    /// A sentence, for `?` and the docs.
    pub help: &'static str,
    pub risk: Risk,
    /// Larger is shown earlier in the footer; 0 is never shown there.
    pub footer: u8,
    /// Whether it can run now, or why not.
    pub enabled: fn(&S) -> Result<(), &'static str>,
    pub msg: fn() -> M,
    /// The headless verb that does the same.
    pub cli_equivalent: Option<&'static str>,
}

/// What has keys: an action, or something else that the configuration can remap.
pub trait Bound {
    /// As the configuration calls it.
    fn name(&self) -> &'static str;
    /// Its default keys.
    fn keys(&self) -> &'static [&'static str];
}

impl<S, M> Bound for Action<S, M> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn keys(&self) -> &'static [&'static str] {
        self.keys
    }
}

impl<S, M> std::fmt::Debug for Action<S, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Action").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<S, M> Action<S, M> {
    /// An action that only looks, is always possible and has no headless equivalent.
    #[must_use]
    pub const fn look(
        name: &'static str,
        keys: &'static [&'static str],
        title: &'static str,
        help: &'static str,
        msg: fn() -> M,
    ) -> Self {
        let enabled = |_: &S| Ok(());
        Self {
            name,
            keys,
            title,
            help,
            risk: Risk::Look,
            footer: 0,
            enabled,
            msg,
            cli_equivalent: None,
        }
    }

    /// Shown in the footer, larger first.
    #[must_use]
    pub const fn footer(mut self, rank: u8) -> Self {
        self.footer = rank;
        self
    }

    /// Possible only sometimes; the other times it says why not.
    #[must_use]
    pub const fn when(mut self, enabled: fn(&S) -> Result<(), &'static str>) -> Self {
        self.enabled = enabled;
        self
    }

    /// What it may do to the database; nothing unless said.
    #[must_use]
    pub const fn risk(mut self, risk: Risk) -> Self {
        self.risk = risk;
        self
    }

    /// The headless verb that does the same.
    #[must_use]
    pub const fn cli_equivalent(mut self, verb: &'static str) -> Self {
        self.cli_equivalent = Some(verb);
        self
    }
}

/// An action without its types, as help, palette and docs need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    pub name: &'static str,
    pub keys: Vec<String>,
    pub title: &'static str,
    pub help: &'static str,
    pub risk: Risk,
    pub footer: u8,
    pub enabled: Result<(), &'static str>,
    pub cli_equivalent: Option<&'static str>,
}

/// A key with its modifiers, normalised so that equal presses compare equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Hash)]
pub struct Chord(KeyCode, KeyModifiers);

impl From<KeyEvent> for Chord {
    fn from(key: KeyEvent) -> Self {
        // A capital or a sign already says shift, and terminals differ in whether they report it.
        match key.code {
            KeyCode::Char(_) => Self(key.code, key.modifiers - KeyModifiers::SHIFT),
            KeyCode::BackTab => Self(KeyCode::BackTab, KeyModifiers::NONE),
            code => Self(code, key.modifiers),
        }
    }
}

/// Reads `"r"`, `"ctrl-r"`, `"enter"`, `"f2"`, or a sequence `"g g"`.
#[must_use]
pub fn parse(spec: &str) -> Option<Vec<Chord>> {
    let chords: Option<Vec<_>> = spec.split(' ').map(parse_one).collect();
    chords.filter(|chords| !chords.is_empty())
}

fn parse_one(spec: &str) -> Option<Chord> {
    let (mods, key) = match spec.strip_prefix("ctrl-") {
        Some(key) => (KeyModifiers::CONTROL, key),
        None => (KeyModifiers::NONE, spec),
    };
    let code = match key {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "shift-tab" => KeyCode::BackTab,
        "space" => KeyCode::Char(' '),
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        "pageup" => KeyCode::PageUp,
        "pagedown" => KeyCode::PageDown,
        _ => {
            let mut chars = key.chars();
            match (chars.next()?, chars.as_str()) {
                (c, "") => KeyCode::Char(c),
                ('f', number) => KeyCode::F(number.parse().ok().filter(|n| (1..=12).contains(n))?),
                _ => return None,
            }
        }
    };
    Some(Chord(code, mods))
}

/// How keys are read where a table is active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// One after the other, so that a sequence can mean something.
    Sequences,
    /// Each by itself.
    Single,
    /// Each by itself, beside text that is typed: plain letters are text.
    Text,
    /// The same beside a word in capitals: small letters are free until it is begun.
    Word,
}

/// Actions that are active together: their names, with the keys that are in force for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bindings {
    pub reading: Reading,
    pub rows: Vec<(&'static str, Vec<String>)>,
}

impl Reading {
    /// Why such keys cannot mean anything here.
    fn refuses(self, chords: &[Chord]) -> Option<&'static str> {
        let plain = |Chord(code, modifiers): &Chord| match code {
            KeyCode::Char(letter) if modifiers.is_empty() => Some(*letter),
            _ => None,
        };
        match self {
            Self::Sequences => None,
            _ if chords.len() > 1 => Some("is a sequence; here each key is read by itself"),
            Self::Single => None,
            Self::Text => chords.iter().find_map(plain).map(|_| "is text here"),
            Self::Word => chords
                .iter()
                .find_map(plain)
                .filter(|letter| letter.is_uppercase())
                .map(|_| "begins a word here"),
        }
    }
}

/// The keys in force: each action's defaults, or what the configuration put in their place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    overrides: BTreeMap<String, Vec<String>>,
}

/// What a pressed sequence means in a table.
#[derive(Debug, PartialEq, Eq)]
pub enum KeyMatch<'a, B> {
    Action(&'a B),
    /// More keys may follow.
    Prefix,
    Nothing,
}

impl<S, M> PartialEq for Action<S, M> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl<S, M> Eq for Action<S, M> {}

impl Keys {
    /// Keys by action name, as the configuration's `[keys]` table gives them.
    #[must_use]
    pub fn new(overrides: BTreeMap<String, Vec<String>>) -> Self {
        Self { overrides }
    }

    /// The key specs of one action.
    #[must_use]
    pub fn of(&self, action: &impl Bound) -> Vec<String> {
        self.overrides
            .get(action.name())
            .cloned()
            .unwrap_or_else(|| action.keys().iter().map(|&key| key.to_owned()).collect())
    }

    /// What the pressed sequence means in this table.
    pub fn find<'a, B: Bound>(&self, table: &'a [B], pressed: &[Chord]) -> KeyMatch<'a, B> {
        let mut prefix = false;
        for action in table {
            for chords in self.of(action).iter().filter_map(|spec| parse(spec)) {
                if chords == pressed {
                    return KeyMatch::Action(action);
                }
                prefix |= chords.len() > pressed.len() && chords.starts_with(pressed);
            }
        }
        if prefix { KeyMatch::Prefix } else { KeyMatch::Nothing }
    }

    /// What one key means in a table whose actions are one key each.
    pub fn action<'a, B: Bound>(&self, table: &'a [B], key: KeyEvent) -> Option<&'a B> {
        match self.find(table, &[Chord::from(key)]) {
            KeyMatch::Action(action) => Some(action),
            KeyMatch::Prefix | KeyMatch::Nothing => None,
        }
    }

    /// The key of an action as a footer shows it; nothing where it has none.
    #[must_use]
    pub fn shown(&self, action: &impl Bound) -> String {
        self.of(action).first().map_or_else(String::new, |key| shown(key))
    }

    /// The rows of a table that belong into a footer, the most important first.
    pub fn hints<S, M>(&self, table: &[Action<S, M>], state: &S) -> Vec<(String, String)> {
        let mut rows: Vec<_> = table
            .iter()
            .filter(|action| action.footer > 0 && (action.enabled)(state).is_ok())
            .collect();
        rows.sort_by_key(|action| std::cmp::Reverse(action.footer));
        rows.into_iter().map(|action| (self.shown(action), action.title.to_owned())).collect()
    }

    /// The rows of a table as help and palette show them.
    pub fn infos<S, M>(&self, table: &[Action<S, M>], state: &S) -> Vec<Info> {
        table.iter().map(|action| self.info(action, (action.enabled)(state))).collect()
    }

    /// The same as if all of it were possible.
    pub fn listed<S, M>(&self, table: &[Action<S, M>]) -> Vec<Info> {
        table.iter().map(|action| self.info(action, Ok(()))).collect()
    }

    fn info<S, M>(&self, action: &Action<S, M>, enabled: Result<(), &'static str>) -> Info {
        Info {
            name: action.name,
            keys: self.of(action),
            title: action.title,
            help: action.help,
            risk: action.risk,
            footer: action.footer,
            enabled,
            cli_equivalent: action.cli_equivalent,
        }
    }

    /// Every problem: an unreadable key, an unknown action, or one key with two meanings among
    /// tables that are active together (`scopes`).
    #[must_use]
    pub fn problems(&self, scopes: &[Bindings]) -> Vec<String> {
        let mut out = vec![];
        let known =
            |name: &str| scopes.iter().flat_map(|scope| &scope.rows).any(|row| row.0 == name);
        for name in self.overrides.keys().filter(|name| !known(name)) {
            out.push(format!("keys: there is no action called {name:?}"));
        }
        for scope in scopes {
            let mut seen: Vec<(Vec<Chord>, &str)> = vec![];
            for (name, specs) in &scope.rows {
                for spec in specs {
                    let Some(chords) = parse(spec) else {
                        out.push(format!("{name}: cannot read the key {spec:?}"));
                        continue;
                    };
                    if let Some(why) = scope.reading.refuses(&chords) {
                        out.push(format!("{name}: {spec} {why}"));
                        continue;
                    }
                    let clash = seen.iter().find(|(other, other_name)| {
                        (other.starts_with(&chords) || chords.starts_with(other))
                            && other_name != name
                    });
                    if let Some((_, other)) = clash {
                        out.push(format!("{spec}: means both {other} and {name}"));
                    }
                    seen.push((chords, name));
                }
            }
        }
        out.sort();
        out.dedup();
        out
    }
}

/// How a key spec is shown: `Enter`, `Ctrl+u`, `gg`, `→`.
#[must_use]
pub fn shown(spec: &str) -> String {
    let one = |key: &str| match key {
        "enter" => "Enter".to_owned(),
        "esc" => "Esc".to_owned(),
        "tab" => "Tab".to_owned(),
        "shift-tab" => "Shift+Tab".to_owned(),
        "space" => "Space".to_owned(),
        "up" => "↑".to_owned(),
        "down" => "↓".to_owned(),
        "left" => "←".to_owned(),
        "right" => "→".to_owned(),
        "home" => "Home".to_owned(),
        "end" => "End".to_owned(),
        "pageup" => "PgUp".to_owned(),
        "pagedown" => "PgDn".to_owned(),
        key => match key.strip_prefix("ctrl-") {
            Some(key) => format!("Ctrl+{key}"),
            None if key.len() > 1 => key.to_uppercase(),
            None => key.to_owned(),
        },
    };
    spec.split(' ').map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Action<(), u8>] = &[
        Action::look("a.top", &["g g", "home"], "top", "Go to the top", || 1),
        Action::look("a.one", &["x"], "one", "Do one", || 2),
    ];

    fn scope(keys: &Keys) -> Bindings {
        let rows = TABLE.iter().map(|action| (action.name, keys.of(action))).collect();
        Bindings { reading: Reading::Sequences, rows }
    }

    #[test]
    fn sequences_are_followed() {
        let keys = Keys::default();
        let g = parse("g").unwrap();
        assert_eq!(keys.find(TABLE, &g), KeyMatch::Prefix);
        let found = keys.find(TABLE, &[g[0], g[0]]);
        assert!(matches!(found, KeyMatch::Action(action) if action.name == "a.top"));
    }

    #[test]
    fn a_remap_replaces_and_a_clash_is_told() {
        let keys = Keys::new(BTreeMap::from([("a.one".into(), vec!["g".into()])]));
        let problems = keys.problems(&[scope(&keys)]);
        assert_eq!(problems, ["g: means both a.top and a.one"]);
        let keys = Keys::new(BTreeMap::from([("a.two".into(), vec!["?!".into()])]));
        assert_eq!(keys.problems(&[scope(&keys)]), ["keys: there is no action called \"a.two\""]);
        assert_eq!(Keys::default().problems(&[scope(&Keys::default())]), Vec::<String>::new());
    }

    #[test]
    fn keys_that_are_text_or_sequences_are_refused_where_they_cannot_work() {
        let told = |reading, key: &str| {
            let rows = vec![("a.one", vec![key.to_owned()])];
            Keys::default().problems(&[Bindings { reading, rows }]).concat()
        };
        assert_eq!(told(Reading::Sequences, "g g"), "");
        assert_eq!(
            told(Reading::Single, "g g"),
            "a.one: g g is a sequence; here each key is read by itself"
        );
        assert_eq!(told(Reading::Single, "g"), "");
        assert_eq!(told(Reading::Text, "g"), "a.one: g is text here");
        assert_eq!(told(Reading::Text, "ctrl-g"), "");
        assert_eq!(told(Reading::Word, "g"), "");
        assert_eq!(told(Reading::Word, "G"), "a.one: G begins a word here");
    }
}
