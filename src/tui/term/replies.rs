//! Replies of the terminal among the keys: a colour, a version or a cursor position that was requested and arrives
//! late, complete or in pieces. None of them may act as a key.
//!
//! The event reader recognises replies that arrive complete and begin with CSI. A string (OSC, DCS, APC) or a piece
//! without its Esc arrives as single keys. Such keys are told from a person's by what follows the introducer at once: a
//! person who types `Esc` and `]` does not type a number after it at the same moment.

use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// How long an `Esc` waits for the rest of a reply before it counts as a key.
const HELD: Duration = Duration::from_millis(40);
/// How long a reply may take from beginning to end; after that, input is keys again.
const WHOLE: Duration = Duration::from_secs(3);
/// The longest reply.
const LONGEST: usize = 16 * 1024;

/// How far into a reply the events are.
#[derive(Debug, Default)]
enum Place {
    #[default]
    Outside,
    /// `Esc` alone, which may be the first byte of one.
    Escape,
    /// An introducer, which may be the keys of a person.
    Introduced(Kind),
    /// Inside; so many characters came.
    Inside(Kind, usize),
    /// `Esc` inside a string, which ends with it and a backslash.
    Ending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `Esc [`: parameters, then one letter.
    Csi,
    /// `Esc ]`, `Esc P`, `Esc _`, `Esc ^`, `Esc X`: anything, until BEL or `Esc \`.
    Text(char),
}

/// Removes replies from a sequence of events. Reads no clock: the caller waits, see [`Filter::patience`].
#[derive(Debug, Default)]
pub struct Filter {
    place: Place,
    /// Events that are keys if what follows shows no reply.
    held: Vec<Event>,
    /// The parameters of a CSI sequence.
    parameters: String,
}

impl Filter {
    /// How long to wait for the next event before calling [`Filter::expire`]; none: any time.
    pub const fn patience(&self) -> Option<Duration> {
        match self.place {
            Place::Outside => None,
            Place::Escape | Place::Introduced(_) => Some(HELD),
            Place::Inside(..) | Place::Ending => Some(WHOLE),
        }
    }

    /// Nothing more came in time: the held events are keys, and the rest of a reply is no longer expected.
    pub fn expire(&mut self) -> Vec<Event> {
        self.place = Place::Outside;
        self.parameters.clear();
        std::mem::take(&mut self.held)
    }

    /// Takes an event; returns those that a person caused.
    pub fn take(&mut self, event: Event) -> Vec<Event> {
        let key = match &event {
            Event::Key(key) if key.kind == KeyEventKind::Press => *key,
            // The window or its focus changes at any time. A paste and the mouse end what was held.
            Event::Resize(..) | Event::FocusGained | Event::FocusLost => return vec![event],
            _ => {
                let mut out = self.expire();
                out.push(event);
                return out;
            }
        };
        match self.place {
            Place::Outside => self.begin(event, key),
            Place::Escape => match (key.modifiers - KeyModifiers::SHIFT, introducer(key)) {
                (KeyModifiers::NONE, Some(kind)) => {
                    self.held.push(event);
                    self.place = Place::Introduced(kind);
                    vec![]
                }
                _ => self.restart(event, key),
            },
            Place::Introduced(kind) => {
                if plain(key).is_some_and(|c| kind.begins_with(c)) {
                    self.held.clear();
                    self.place = Place::Inside(kind, 0);
                    return self.inside(kind, 0, key);
                }
                if kind == Kind::Csi
                    && let Some(code) = plain(key).and_then(|c| named(c, ""))
                {
                    self.held.clear();
                    self.place = Place::Outside;
                    return vec![Event::Key(code.into())];
                }
                self.restart(event, key)
            }
            Place::Inside(kind, length) => self.inside(kind, length, key),
            Place::Ending => {
                if plain(key) == Some('\\') {
                    self.place = Place::Outside;
                    return vec![];
                }
                // The string was cut off; its Esc begins another, or is a person's.
                self.held.push(Event::Key(KeyCode::Esc.into()));
                self.place = Place::Escape;
                self.take(event)
            }
        }
    }

    /// Outside of a reply.
    fn begin(&mut self, event: Event, key: KeyEvent) -> Vec<Event> {
        let modifiers = key.modifiers - KeyModifiers::SHIFT;
        self.place = match (key.code, modifiers, introducer(key)) {
            (KeyCode::Esc, KeyModifiers::NONE, _) => Place::Escape,
            // Esc and the letter after it, read at once.
            (_, KeyModifiers::ALT, Some(kind)) => Place::Introduced(kind),
            _ => return vec![event],
        };
        self.held.push(event);
        vec![]
    }

    /// The held events are keys, and this event may begin a new reply.
    fn restart(&mut self, event: Event, key: KeyEvent) -> Vec<Event> {
        let mut out = self.expire();
        out.extend(self.begin(event, key));
        out
    }

    fn inside(&mut self, kind: Kind, length: usize, key: KeyEvent) -> Vec<Event> {
        if length >= LONGEST {
            return self.expire();
        }
        self.place = Place::Inside(kind, length + 1);
        match kind {
            Kind::Csi => match plain(key) {
                Some(c @ (' '..='?')) => self.parameters.push(c),
                Some(last) => {
                    let parameters = std::mem::take(&mut self.parameters);
                    self.place = Place::Outside;
                    return named(last, &parameters)
                        .map(|code| Event::Key(code.into()))
                        .into_iter()
                        .collect();
                }
                None => {
                    let mut out = self.expire();
                    out.extend(self.begin(Event::Key(key), key));
                    return out;
                }
            },
            Kind::Text(_) => {
                let is_bell =
                    key.code == KeyCode::Char('g') && key.modifiers == KeyModifiers::CONTROL;
                let is_end = key.code == KeyCode::Char('\\') && key.modifiers == KeyModifiers::ALT;
                if is_bell || is_end {
                    self.place = Place::Outside;
                } else if key.code == KeyCode::Esc {
                    self.place = Place::Ending;
                }
            }
        }
        vec![]
    }
}

impl Kind {
    /// Whether a reply goes on like that; a person's keys would not, within so short a time.
    const fn begins_with(self, c: char) -> bool {
        match self {
            Self::Csi => matches!(c, '0'..='9' | '?' | '>' | '<' | '='),
            // A colour, a title: a number, or the letter of an old kind.
            Self::Text(']') => matches!(c, '0'..='9' | 'l' | 'L'),
            Self::Text('P') => matches!(c, '0'..='9' | '>' | '!' | '+' | '$'),
            Self::Text('_') => matches!(c, 'G'),
            Self::Text(_) => false,
        }
    }
}

/// What the letter after Esc begins.
const fn introducer(key: KeyEvent) -> Option<Kind> {
    match key.code {
        KeyCode::Char('[') => Some(Kind::Csi),
        KeyCode::Char(c @ (']' | 'P' | '_')) => Some(Kind::Text(c)),
        _ => None,
    }
}

fn plain(key: KeyEvent) -> Option<char> {
    match key.code {
        KeyCode::Char(c) if (key.modifiers - KeyModifiers::SHIFT).is_empty() => Some(c),
        _ => None,
    }
}

/// The key whose sequence this is, where its Esc was read before the rest of it.
fn named(last: char, parameters: &str) -> Option<KeyCode> {
    Some(match (last, parameters) {
        ('A', "") => KeyCode::Up,
        ('B', "") => KeyCode::Down,
        ('C', "") => KeyCode::Right,
        ('D', "") => KeyCode::Left,
        ('H', "") | ('~', "1" | "7") => KeyCode::Home,
        ('F', "") | ('~', "4" | "8") => KeyCode::End,
        ('~', "3") => KeyCode::Delete,
        ('~', "5") => KeyCode::PageUp,
        ('~', "6") => KeyCode::PageDown,
        _ => return None,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    const REPLIES: [&str; 9] = [
        "\x1b]10;rgb:ffff/ffff/ffff\x07",
        "\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\",
        "\x1b]4;1;rgb:c0c0/0000/0000\x07",
        "\x1b[?62;22;52c",
        "\x1b[24;80R",
        "\x1b[?1u",
        "\x1bP>|xterm(390)\x1b\\",
        "\x1bP1$r0m\x1b\\",
        "\x1b_Gi=31;OK\x1b\\",
    ];

    /// What the event reader makes of bytes that it reads at once: replies that it knows are nothing.
    pub(crate) fn read(bytes: &str) -> Vec<Event> {
        let known = ["\x1b[?62;22;52c", "\x1b[24;80R", "\x1b[?1u"];
        if known.contains(&bytes) {
            return vec![];
        }
        let mut out = vec![];
        let mut chars = bytes.chars().peekable();
        while let Some(c) = chars.next() {
            let key = |c: char| match c {
                '\x07' => KeyEvent::new(KeyCode::Char('g'), KeyModifiers::CONTROL),
                c if c.is_uppercase() => KeyEvent::new(KeyCode::Char(c), KeyModifiers::SHIFT),
                c => KeyEvent::from(KeyCode::Char(c)),
            };
            out.push(Event::Key(match (c, chars.peek()) {
                ('\x1b', None) => KeyCode::Esc.into(),
                ('\x1b', Some(_)) => {
                    let next = key(chars.next().unwrap_or_default());
                    KeyEvent { modifiers: next.modifiers | KeyModifiers::ALT, ..next }
                }
                (c, _) => key(c),
            }));
        }
        out
    }

    fn pass(filter: &mut Filter, events: Vec<Event>) -> Vec<Event> {
        events.into_iter().flat_map(|event| filter.take(event)).collect()
    }

    #[test]
    fn no_reply_is_a_key_wherever_it_is_cut() {
        for reply in REPLIES {
            for (cut, _) in reply.char_indices() {
                let (first, rest) = reply.split_at(cut);
                // A CSI sequence is kept by the reader once its first two bytes are in.
                let csi = reply.starts_with("\x1b[");
                if csi && cut > 1 {
                    continue;
                }
                let mut filter = Filter::default();
                let mut out = pass(&mut filter, read(first));
                out.extend(pass(&mut filter, read(rest)));
                out.extend(filter.expire());
                assert_eq!(out, [], "{reply:?} cut at {cut}");
                assert_eq!(pass(&mut filter, read("q")), read("q"), "{reply:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn what_people_type_comes_through() {
        for typed in ["q", "]11", "[a", "\x1b]", "\x1bq", "\x1b[", "P1", "\x1bPq", "\x1b_x"] {
            let mut filter = Filter::default();
            let mut out = pass(&mut filter, read(typed));
            out.extend(filter.expire());
            assert_eq!(out, read(typed), "{typed:?}");
        }
        let mut filter = Filter::default();
        let mut out =
            pass(&mut filter, [read("\x1b"), read("j"), read("\x1b"), read("\x1b")].concat());
        out.extend(filter.expire());
        assert_eq!(out, [read("\x1b"), read("j"), read("\x1b"), read("\x1b")].concat());
    }

    #[test]
    fn a_key_whose_escape_came_alone_is_that_key() {
        for (rest, code) in [("[A", KeyCode::Up), ("[5~", KeyCode::PageUp)] {
            let mut filter = Filter::default();
            let out = pass(&mut filter, [read("\x1b"), read(rest)].concat());
            assert_eq!(out, [Event::Key(code.into())]);
        }
    }

    proptest! {
        #[test]
        fn nothing_typed_slowly_is_lost(typed in "[ -~\x1b]{0,30}") {
            let mut filter = Filter::default();
            let mut out = vec![];
            for c in typed.chars() {
                out.extend(pass(&mut filter, read(&c.to_string())));
                out.extend(filter.expire());
            }
            let each: Vec<_> = typed.chars().flat_map(|c| read(&c.to_string())).collect();
            prop_assert_eq!(out, each);
        }
    }
}
