//! Replies of the terminal among the keys: a colour, a version, a cursor position that someone asked for and that arrives
//! late, whole or in pieces. None of them may act as a key.
//!
//! The event reader knows replies that arrive whole and begin with CSI. A string (OSC, DCS, APC) or a piece without its
//! Esc comes out of it as single keys. Here such a run of keys is told from a person's by what follows its introducer at
//! once: a person who types `Esc` and `]` does not type a number after it within the same moment.

use std::{io, time::Duration};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use futures::{Stream, StreamExt, stream};
use tokio::time::{Instant, timeout_at};

/// So long an `Esc` waits for what would make it the beginning of a reply.
const HELD: Duration = Duration::from_millis(40);
/// So long a reply may take from its beginning to its end; what comes later is a key again.
const WHOLE: Duration = Duration::from_secs(3);
/// No reply that is waited for is longer than this.
const LONGEST: usize = 16 * 1024;

/// The events without replies.
pub fn without_replies(
    events: impl Stream<Item = io::Result<Event>> + Unpin,
) -> impl Stream<Item = io::Result<Event>> + Unpin {
    let start = (events, Filter::default(), Deadline::default(), Vec::new());
    Box::pin(stream::unfold(
        start,
        |(mut events, mut filter, mut deadline, mut ready)| async move {
            loop {
                if !ready.is_empty() {
                    let event = ready.remove(0);
                    return Some((Ok(event), (events, filter, deadline, ready)));
                }
                let next = match deadline.of(filter.patience()) {
                    None => Ok(events.next().await),
                    Some(at) => timeout_at(at, events.next()).await,
                };
                match next {
                    Err(_) => ready = filter.expire(),
                    Ok(Some(Ok(event))) => ready = filter.take(event),
                    Ok(Some(Err(error))) => {
                        return Some((Err(error), (events, filter, deadline, ready)));
                    }
                    Ok(None) => {
                        ready = filter.expire();
                        if ready.is_empty() {
                            return None;
                        }
                    }
                }
            }
        },
    ))
}

/// Until when the present patience lasts: it begins once, not with every event.
#[derive(Debug, Default)]
struct Deadline(Option<(Duration, Instant)>);

impl Deadline {
    fn of(&mut self, patience: Option<Duration>) -> Option<Instant> {
        self.0 = patience.map(|limit| match self.0 {
            Some((known, at)) if known == limit => (limit, at),
            _ => (limit, Instant::now() + limit),
        });
        self.0.map(|(_, at)| at)
    }
}

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

#[derive(Debug, Default)]
struct Filter {
    place: Place,
    /// Events that are keys if what follows shows no reply.
    held: Vec<Event>,
    /// The parameters of a CSI sequence.
    parameters: String,
}

impl Filter {
    /// How long to wait for the next event; none where nothing depends on it.
    const fn patience(&self) -> Option<Duration> {
        match self.place {
            Place::Outside => None,
            Place::Escape | Place::Introduced(_) => Some(HELD),
            Place::Inside(..) | Place::Ending => Some(WHOLE),
        }
    }

    /// Nothing more came in time: what was held are keys, the rest of a reply is not waited for.
    fn expire(&mut self) -> Vec<Event> {
        self.place = Place::Outside;
        self.parameters.clear();
        std::mem::take(&mut self.held)
    }

    /// Takes an event; yields those that are a person's.
    fn take(&mut self, event: Event) -> Vec<Event> {
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

    /// What was held are keys, and this may begin again.
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
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use tokio::time::sleep_until;

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
    fn read(bytes: &str) -> Vec<Event> {
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

    /// Events at these milliseconds, and when each was passed on.
    async fn timed(events: Vec<(u64, Event)>) -> Vec<(u128, Event)> {
        let began = Instant::now();
        let source = stream::iter(events).then(|(at, event)| async move {
            sleep_until(began + Duration::from_millis(at)).await;
            Ok(event)
        });
        let out = without_replies(Box::pin(source));
        out.map(|event| (began.elapsed().as_millis(), event.unwrap())).collect().await
    }

    #[tokio::test(start_paused = true)]
    async fn an_escape_is_held_for_a_moment_and_a_reply_for_longer() {
        let [esc, j] = [read("\x1b").remove(0), read("j").remove(0)];
        let out = timed(vec![(0, esc.clone()), (500, j.clone())]).await;
        assert_eq!(out, [(40, esc), (500, j.clone())]);
        // In three pieces, with pauses.
        let pieces = [(0, "\x1b]11;rgb:1e"), (900, "1e/1e1e/"), (1_800, "2e2e\x07")];
        let mut events: Vec<_> = pieces
            .into_iter()
            .flat_map(|(at, piece)| read(piece).into_iter().map(move |event| (at, event)))
            .collect();
        events.push((1_900, j.clone()));
        assert_eq!(timed(events.clone()).await, [(1_900, j.clone())]);
        // One that never ends does not take keys for good, however they follow each other.
        events.truncate(5);
        events.extend([1_000, 2_000, 3_500, 4_000].map(|at| (at, j.clone())));
        assert_eq!(timed(events).await, [(3_500, j.clone()), (4_000, j)]);
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
