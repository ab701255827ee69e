//! The real program in a real pseudo-terminal, and the screen a person would see.

use std::{
    future::Future,
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;

/// The machine may be slow and shared; nothing here is a measurement.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the terminal is left with: main screen, no mouse, no bracketed paste, a cursor.
const CLEAN: &str = "alternate=false mouse=None paste=false hidden=false focus=false";

/// How a console is started: nothing of the tester's own environment reaches it.
pub struct Start {
    command: CommandBuilder,
    home: TempDir,
    size: (u16, u16),
    patience: Duration,
}

/// A running console.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    /// Dropping it hangs up.
    master: Option<Box<dyn MasterPty + Send>>,
    input: Option<Box<dyn Write + Send>>,
    screen: Arc<Mutex<vt100::Parser>>,
    raw: Arc<Mutex<Vec<u8>>>,
    closed: Arc<AtomicBool>,
    hung: Arc<AtomicBool>,
    patience: Duration,
    /// It was waited for; its process id may mean another by now.
    over: bool,
    home: TempDir,
}

impl Start {
    pub fn new() -> Self {
        let home = tempfile::Builder::new().prefix("orderscope-test-").tempdir().unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_orderscope"));
        command.env_clear();
        command.cwd(home.path());
        for (name, value) in environment(home.path()) {
            command.env(name, value);
        }
        Self { command, home, size: (120, 36), patience: PATIENCE }
    }

    /// Opens this database.
    pub fn on(self, options: &PgConnectOptions) -> Self {
        self.env("DATABASE_URL", &url(options))
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn arg(mut self, arg: &str) -> Self {
        self.command.arg(arg);
        self
    }

    /// The configuration file's text.
    pub fn config(self, text: &str) -> Self {
        let dir = self.home.path().join("config/orderscope");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("config.toml"), text).unwrap();
        self
    }

    pub fn size(mut self, width: u16, height: u16) -> Self {
        self.size = (width, height);
        self
    }

    /// Waits this long at most instead of the usual minute.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    pub fn open(self) -> Terminal {
        let (cols, rows) = self.size;
        let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).unwrap();
        let child = pty.slave.spawn_command(self.command).unwrap();
        drop(pty.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(rows, cols, 0)));
        let (raw, closed) = (Arc::new(Mutex::new(vec![])), Arc::new(AtomicBool::new(false)));
        let mut out = pty.master.try_clone_reader().unwrap();
        let (to_screen, to_raw, at_end) =
            (Arc::clone(&screen), Arc::clone(&raw), Arc::clone(&closed));
        let hung = Arc::new(AtomicBool::new(false));
        let is_hung = Arc::clone(&hung);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = out.read(&mut bytes) {
                to_screen.lock().unwrap().process(&bytes[..read]);
                to_raw.lock().unwrap().extend_from_slice(&bytes[..read]);
                if is_hung.load(Ordering::SeqCst) {
                    break;
                }
            }
            drop(out);
            at_end.store(true, Ordering::SeqCst);
        });
        let input = Some(pty.master.take_writer().unwrap());
        Terminal {
            child,
            master: Some(pty.master),
            input,
            screen,
            raw,
            closed,
            hung,
            patience: self.patience,
            over: false,
            home: self.home,
        }
    }
}

impl Terminal {
    /// Types, clicks or pastes: bytes as a terminal would send them.
    pub fn send(&mut self, bytes: &str) {
        let input = self.input.as_mut().unwrap();
        input.write_all(bytes.as_bytes()).unwrap();
        input.flush().unwrap();
    }

    /// What is on screen now.
    pub fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    /// The screen with its colours, as it is now.
    pub fn screen(&self) -> vt100::Screen {
        self.screen.lock().unwrap().screen().clone()
    }

    /// Waits until the screen holds `text`.
    pub fn shows(&self, text: &str) {
        self.until(&format!("{text:?}"), |screen| screen.contains(text));
    }

    /// Waits until the screen no longer holds `text`.
    pub fn drops(&self, text: &str) {
        self.until(&format!("the end of {text:?}"), |screen| !screen.contains(text));
    }

    /// Waits until the screen is as described.
    pub fn until(&self, what: &str, holds: impl Fn(&str) -> bool) {
        self.wait(what, |terminal| holds(&terminal.text()));
    }

    /// Waits until the program has written these bytes.
    pub fn writes(&self, bytes: &str) {
        let wanted = bytes.as_bytes();
        self.wait(&format!("{bytes:?} in the output"), |terminal| {
            terminal.raw.lock().unwrap().windows(wanted.len()).any(|part| part == wanted)
        });
    }

    fn wait(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let end = Instant::now() + self.patience;
        while !holds(self) {
            // Nothing more will come once the program has ended and all of its output was read.
            let over = self.closed.load(Ordering::SeqCst) && !holds(self);
            let late = over || Instant::now() >= end;
            assert!(!late, "no {what} on\n{}\n{}", self.text(), self.modes());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The ends of the ids of the orders listed, from the top.
    pub fn listed(&self) -> Vec<String> {
        let rows = |screen: &str| -> Vec<String> {
            screen.lines().filter_map(|line| Some(listed(line)?.1)).collect()
        };
        // A frame may be read while it is half drawn.
        self.until("ten rows", |screen| rows(screen).len() >= 10);
        rows(&self.text())
    }

    /// Waits until the cursor of the list is on that id.
    pub fn cursor_on(&self, id: &str) {
        self.until(&format!("cursor on {id}"), |screen| {
            screen.lines().filter_map(listed).any(|(chosen, end)| chosen && end == id)
        });
    }

    /// Column and row (from 1, as the mouse counts) of the first `text` on screen.
    pub fn place_of(&self, text: &str) -> (usize, usize) {
        let screen = self.text();
        let (row, line) = screen
            .lines()
            .enumerate()
            .find(|(_, line)| line.contains(text))
            .unwrap_or_else(|| panic!("no {text:?} on\n{screen}"));
        let before = &line[..line.find(text).unwrap()];
        (before.chars().count() + 1, row + 1)
    }

    /// Presses and lets go of the left button.
    pub fn click(&mut self, (column, row): (usize, usize)) {
        self.send(&format!("\x1b[<0;{column};{row}M\x1b[<0;{column};{row}m"));
    }

    /// Waits until the program has read all that was sent.
    pub fn is_read(&self) {
        self.wait("end of the input", |terminal| {
            let fd = terminal.master.as_ref().and_then(|master| master.tty_name());
            let tty = std::fs::File::open(fd.unwrap()).unwrap();
            rustix::io::ioctl_fionread(&tty).is_ok_and(|left| left == 0)
        });
    }

    /// Changes the window's size.
    pub fn resize(&mut self, width: u16, height: u16) {
        self.screen.lock().unwrap().screen_mut().set_size(height, width);
        let size = PtySize { rows: height, cols: width, pixel_width: 0, pixel_height: 0 };
        self.master.as_ref().unwrap().resize(size).unwrap();
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Whether the process is stopped, as by Ctrl+Z.
    pub fn is_stopped(&self) -> bool {
        let pid = self.pid().as_raw_nonzero().to_string();
        let state = std::process::Command::new("ps").args(["-o", "state=", "-p", &pid]).output();
        String::from_utf8_lossy(&state.unwrap().stdout).trim().starts_with('T')
    }

    /// Waits until the process is stopped.
    pub fn stops(&self) {
        self.wait("stop", Self::is_stopped);
    }

    /// The terminal goes away, as when a window is closed or a connection is cut.
    pub fn hang_up(&mut self) {
        self.hung.store(true, Ordering::SeqCst);
        // Our reader lets go at the next frame: the age of the data is drawn each second.
        self.wait("reader to let go", |terminal| terminal.closed.load(Ordering::SeqCst));
        self.input = None;
        self.master = None;
    }

    /// The most memory it had so far, in kB, where the system tells.
    pub fn highest_memory(&self) -> Option<u64> {
        let pid = self.pid().as_raw_nonzero();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    }

    /// Every file in the person's home: exports, records, logs.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut open = vec![self.home.path().to_path_buf()];
        let mut out = vec![];
        while let Some(dir) = open.pop() {
            for entry in dir.read_dir().unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { open.push(path) } else { out.push(path) }
            }
        }
        out
    }

    /// All texts that were put on the clipboard.
    pub fn copied(&self) -> Vec<String> {
        let raw = String::from_utf8_lossy(&self.raw.lock().unwrap()).into_owned();
        let texts = raw.split("\x1b]52;c;").skip(1);
        texts.map(|rest| plain(rest.split(['\x1b', '\x07']).next().unwrap_or_default())).collect()
    }

    /// Waits for the end; yields the exit code.
    pub fn ends(&mut self) -> u32 {
        let end = Instant::now() + self.patience;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < end, "it did not end; it shows\n{}", self.text());
            thread::sleep(Duration::from_millis(10));
        };
        self.over = true;
        if self.master.is_some() {
            self.wait("end of the output", |terminal| terminal.closed.load(Ordering::SeqCst));
        }
        status.exit_code()
    }

    /// Waits for the end with this code and a clean terminal.
    pub fn ends_clean(&mut self, code: u32) {
        let ended = self.ends();
        assert_eq!(ended, code, "it showed\n{}", self.text());
        assert_eq!(self.modes(), CLEAN);
    }

    /// Waits until the terminal is as it was before.
    pub fn is_clean(&self) {
        self.wait("clean terminal", |terminal| terminal.modes() == CLEAN);
    }

    /// Whether the full screen was ever entered.
    pub fn was_entered(&self) -> bool {
        self.raw.lock().unwrap().windows(8).any(|part| part == b"\x1b[?1049h")
    }

    fn modes(&self) -> String {
        let parser = self.screen.lock().unwrap();
        let screen = parser.screen();
        let raw = String::from_utf8_lossy(&self.raw.lock().unwrap()).into_owned();
        let focus = raw.rfind("\x1b[?1004h") > raw.rfind("\x1b[?1004l");
        format!(
            "alternate={} mouse={:?} paste={} hidden={} focus={focus}",
            screen.alternate_screen(),
            screen.mouse_protocol_mode(),
            screen.bracketed_paste(),
            screen.hide_cursor()
        )
    }

    fn pid(&self) -> Pid {
        let pid = self.child.process_id().unwrap();
        Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if !self.over {
            self.signal(Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// Whether the cursor is on this line of the list of orders, and the end of the order's id.
fn listed(line: &str) -> Option<(bool, String)> {
    let (before, after) = line.split_once('…')?;
    let id: String = after.chars().take(4).collect();
    let is_row = before.starts_with('│')
        && before.chars().count() == 3
        && id.len() == 4
        && id.chars().all(|digit| digit.is_ascii_hexdigit());
    is_row.then(|| (before.contains('>'), id))
}

/// A home of its own for a program under test.
pub fn environment(home: &Path) -> Vec<(&'static str, String)> {
    let dir = |name: &str| home.join(name).display().to_string();
    vec![
        ("HOME", dir("")),
        ("XDG_CONFIG_HOME", dir("config")),
        ("XDG_STATE_HOME", dir("state")),
        ("XDG_DATA_HOME", dir("data")),
        ("XDG_CACHE_HOME", dir("cache")),
        ("PATH", std::env::var("PATH").unwrap_or_default()),
        ("TERM", "xterm-256color".to_owned()),
        ("LANG", "C.UTF-8".to_owned()),
        ("RUST_BACKTRACE", "0".to_owned()),
    ]
}

/// A URL for a database of the tests' servers, by its Unix socket.
pub fn url(options: &PgConnectOptions) -> String {
    let socket = options.get_socket().unwrap().display();
    let database = options.get_database().unwrap();
    let user = options.get_username();
    format!("postgres://{user}@localhost:5432/{database}?host={socket}")
}

/// Runs what is async in the middle of a test that mostly waits for a screen.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// What base64 stands for.
fn plain(base64: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut kept, mut out) = (0_u32, 0, vec![]);
    for digit in base64.bytes().filter_map(|c| DIGITS.iter().position(|digit| *digit == c)) {
        bits = bits << 6 | u32::try_from(digit).unwrap();
        kept += 6;
        if kept >= 8 {
            kept -= 8;
            out.push((bits >> kept).to_le_bytes()[0]);
            bits &= (1 << kept) - 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
