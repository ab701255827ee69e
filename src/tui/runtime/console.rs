//! The real console: terminal, loop and background work put together.

use std::{
    io::{self, IsTerminal, stdout},
    sync::Arc,
};

use crossterm::{
    clipboard::CopyToClipboard,
    event::{DisableMouseCapture, EnableMouseCapture, Event, EventStream, KeyCode},
    execute, queue,
    terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate},
};
use ratatui::{Terminal, backend::CrosstermBackend, layout::Rect};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{Program, drive, effects::Runner, input, signals};
use crate::{
    ops::policy::Policy,
    tui::{
        app::{self, App, Ended, Msg, Request},
        effect::Effect,
        route::Route,
        screens::Screens,
        services::Services,
        shared::{Now, Shared},
        term::{Guard, caps::Caps, panic},
        ui::action::Keys,
    },
    workers::relay::Stats,
};

/// What the command line and the configuration decide about a console.
#[derive(Debug)]
pub struct Options {
    pub services: Services,
    pub caps: Caps,
    pub keys: Keys,
    pub mouse: bool,
    pub zone: crate::domain::zone::Zone,
    pub interval: std::time::Duration,
    /// What may be done here at all.
    pub policy: Policy,
    /// Where to begin; none: where the console begins by itself.
    pub route: Option<Route>,
    /// What a relay beside this console tells of itself.
    pub relay: Option<watch::Receiver<Stats>>,
}

/// Room for answers that arrive while a frame is drawn; a full box slows the senders, nothing is lost.
const INBOX: usize = 256;

/// Most of what a terminal takes in one OSC 52 sequence.
const COPY_LIMIT: usize = 74_000;

/// Runs the console until the person leaves it; yields the exit code.
///
/// # Errors
/// When there is no terminal, or it fails.
pub async fn run(options: Options) -> color_eyre::Result<Result<u8, Ended>> {
    if !stdout().is_terminal() || !io::stdin().is_terminal() {
        let message = "the console needs a terminal; without one use a verb, such as \
                       `orderscope orders search` (see --help)";
        return Ok(Err(Ended { message: message.to_owned(), code: 2 }));
    }
    let (sender, mut inbox) = mpsc::channel(INBOX);
    let stop = CancellationToken::new();
    let signalled = signals::listen(stop.clone())?;
    signals::suspends(sender.clone())?;
    let services = Arc::new(options.services);
    let mut shared = Shared::new(now(&services, Instant::now()), options.zone);
    shared.interval = options.interval;
    shared.policy = options.policy;
    shared.keys = options.keys;
    let app = App::new(Screens::default(), shared, options.caps.theme, options.mouse);
    let mut guard = Guard::enter(options.mouse)?;
    let mut console = Console {
        app,
        runner: Runner::new(Arc::clone(&services), sender),
        terminal: Terminal::new(CrosstermBackend::new(stdout()))?,
        tmux: options.caps.tmux,
        mouse: options.mouse,
        last_copy: None,
    };
    if let Some(relay) = options.relay {
        console.runner.follow(relay);
    }
    let effects = console.app.start(options.route);
    console.perform(effects);
    loop {
        // A new stream each time: an old one would read on while the shell has the terminal.
        let input = input::without_replies(EventStream::new());
        drive(&mut console, input, &mut inbox, &stop, options.caps.frame).await?;
        if !std::mem::take(&mut console.app.suspended) {
            break;
        }
        drop(guard);
        // Everything stops here until `fg`.
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP)?;
        guard = Guard::enter(console.mouse)?;
        console.repaint()?;
    }
    drop(guard);
    console.runner.stop_all();
    services.close().await;
    if stop.is_cancelled() {
        let number = signalled.await.unwrap_or(15);
        return Ok(Ok(u8::try_from(128 + number).unwrap_or(1)));
    }
    Ok(console.app.ended.map_or(Ok(0), Err))
}

struct Console {
    app: App,
    runner: Runner,
    terminal: Terminal<CrosstermBackend<io::Stdout>>,
    tmux: bool,
    mouse: bool,
    last_copy: Option<Result<String, String>>,
}

impl Console {
    fn perform(&mut self, effects: Vec<Effect<Request>>) {
        for effect in effects {
            match effect {
                Effect::Run(lane, request) => self.runner.run(lane, request),
                Effect::Stop(lane) => self.runner.stop(lane),
                Effect::Copy { text, what } => {
                    let told = self.copy(&text, &what);
                    self.last_copy = Some(told);
                }
                // The root carries these out itself before they get here.
                Effect::Tell(_)
                | Effect::Warn(_)
                | Effect::Open(_)
                | Effect::Back
                | Effect::Keep(_)
                | Effect::Unlock
                | Effect::Change(..) => {}
            }
        }
        if let Some(told) = self.last_copy.take() {
            let msg = told.map_or_else(Msg::Failed, Msg::Copied);
            app::update(&mut self.app, msg);
        }
    }

    /// OSC 52: works over SSH; the terminal may refuse it without saying so, hence the visible note.
    fn copy(&mut self, text: &str, what: &str) -> Result<String, String> {
        if text.len() > COPY_LIMIT {
            return Err(format!(
                "{what} is too long to copy ({} bytes); export it with e",
                text.len()
            ));
        }
        let sequence = CopyToClipboard::to_clipboard_from(text);
        let sent = if self.tmux {
            let plain = crossterm::Command::write_ansi;
            let mut inner = String::new();
            plain(&sequence, &mut inner).map_err(|error| error.to_string())?;
            let wrapped = format!("\x1bPtmux;{}\x1b\\", inner.replace('\x1b', "\x1b\x1b"));
            // tmux takes the plain sequence when its clipboard is on, the wrapped one when passthrough is.
            execute!(self.terminal.backend_mut(), sequence, crossterm::style::Print(wrapped))
        } else {
            execute!(self.terminal.backend_mut(), sequence)
        };
        sent.map_err(|error| format!("not copied: {error}"))?;
        Ok(format!("copied {what} ({} characters)", text.chars().count()))
    }

    fn repaint(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        // Not `clear`: it asks the terminal for the cursor while our reader takes the answer.
        self.terminal.resize(Rect::new(0, 0, size.width, size.height))
    }

    fn settle_mouse(&mut self) {
        if self.app.mouse != self.mouse {
            self.mouse = self.app.mouse;
            let out = self.terminal.backend_mut();
            // A terminal without a mouse ignores both.
            let _ = if self.mouse {
                execute!(out, EnableMouseCapture)
            } else {
                execute!(out, DisableMouseCapture)
            };
        }
    }
}

impl Program for Console {
    type Msg = Msg;

    fn input(&mut self, event: Event, at: Instant) {
        let now = now(self.runner.services(), at);
        self.app.tick(now);
        if event == Event::Key(KeyCode::F(12).into()) {
            panic::provoke();
        }
        for event in self.app.presses(&event) {
            for msg in self.app.input(&event) {
                let effects = app::update(&mut self.app, msg);
                self.perform(effects);
            }
        }
        self.settle_mouse();
    }

    fn update(&mut self, msg: Msg, at: Instant) {
        let now = now(self.runner.services(), at);
        self.app.tick(now);
        let effects = app::update(&mut self.app, msg);
        self.perform(effects);
    }

    fn wakes_at(&self, _: Instant) -> Option<Instant> {
        self.app.wakes_at().map(Instant::from_std)
    }

    fn wake(&mut self, at: Instant) {
        let now = now(self.runner.services(), at);
        self.app.tick(now);
        let effects = app::wake(&mut self.app);
        self.perform(effects);
    }

    fn draw(&mut self, at: Instant) -> io::Result<()> {
        let now = now(self.runner.services(), at);
        self.app.tick(now);
        self.app.shared.pause = self.runner.services().pause();
        let mut hits = None;
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        self.terminal.draw(|frame| hits = Some(app::view(&self.app, frame)))?;
        execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)?;
        self.app.drawn(hits.unwrap_or_default());
        Ok(())
    }

    fn pauses(&self) -> bool {
        self.app.quit || self.app.suspended
    }
}

/// The console's only look at the clocks.
fn now(services: &Services, at: Instant) -> Now {
    Now { instant: at.into_std(), utc: services.now() }
}
