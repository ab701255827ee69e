//! The real program in a pseudo-terminal: time to the first frame and to the first rows, time from a key to
//! its frame, and the cost of an idle console.

use std::{
    io::{Read, Write},
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};

use super::{data::Database, row};

const RUNS: usize = 15;
const SIZE: PtySize = PtySize { rows: 36, cols: 120, pixel_width: 0, pixel_height: 0 };

struct Session {
    child: Box<dyn Child + Send + Sync>,
    input: Box<dyn Write + Send>,
    screen: Arc<(Mutex<vt100::Parser>, Condvar)>,
    began: Instant,
    _home: tempfile::TempDir,
}

impl Session {
    fn start(url: &str) -> Self {
        let pty = native_pty_system().openpty(SIZE).unwrap();
        let home = tempfile::tempdir().unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_orderscope"));
        command.env("DATABASE_URL", url);
        command.env("HOME", home.path());
        command.env("TERM", "xterm-256color");
        for name in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "NO_COLOR"] {
            command.env_remove(name);
        }
        let began = Instant::now();
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let screen =
            Arc::new((Mutex::new(vt100::Parser::new(SIZE.rows, SIZE.cols, 0)), Condvar::new()));
        let mut out = pty.master.try_clone_reader().unwrap();
        let shared = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut bytes = [0; 8_192];
            while let Ok(read @ 1..) = out.read(&mut bytes) {
                shared.0.lock().unwrap().process(&bytes[..read]);
                shared.1.notify_all();
            }
        });
        let input = pty.master.take_writer().unwrap();
        // The master must outlive the session: closing it sends SIGHUP.
        std::mem::forget(pty.master);
        Self { child, input, screen, began, _home: home }
    }

    /// Waits until `sees` accepts the screen; returns the time of that.
    fn until(&self, what: &str, sees: impl Fn(&str) -> bool) -> Instant {
        let end = Instant::now() + Duration::from_secs(30);
        let mut screen = self.screen.0.lock().unwrap();
        loop {
            let text = screen.screen().contents();
            if sees(&text) {
                return Instant::now();
            }
            assert!(Instant::now() < end, "no {what} on\n{text}");
            screen = self.screen.1.wait_timeout(screen, Duration::from_millis(100)).unwrap().0;
        }
    }

    fn send(&mut self, keys: &str) -> Instant {
        self.input.write_all(keys.as_bytes()).unwrap();
        self.input.flush().unwrap();
        Instant::now()
    }

    fn quit(mut self) {
        self.send("q");
        self.child.wait().unwrap();
    }
}

fn has_rows(text: &str) -> bool {
    text.contains("> …")
}

pub fn run(database: &Database) {
    let (mut frames, mut rows) = (vec![], vec![]);
    for _ in 0..RUNS {
        let session = Session::start(&database.url);
        frames.push(session.until("frame", |text| text.contains("Orders")) - session.began);
        rows.push(session.until("rows", has_rows) - session.began);
        session.quit();
    }
    row("console: start to first frame", frames);
    row("console: start to first rows", rows);

    let mut session = Session::start(&database.url);
    session.until("rows", has_rows);
    let mut keys = vec![];
    for n in 0..200 {
        let before = cursor_line(&session);
        let down = n % 20 < 10;
        let pressed = session.send(if down { "j" } else { "k" });
        let seen = session.until("the cursor elsewhere", |text| line_of_cursor(text) != before);
        keys.push(seen.saturating_duration_since(pressed));
    }
    row("console: key to frame (a frame at most every 16 ms)", keys);

    let pid = session.child.process_id().unwrap();
    session.send("f");
    session.until("frozen", |text| text.contains("FROZEN"));
    let (before, began) = (cpu_ticks(pid), Instant::now());
    std::thread::sleep(Duration::from_secs(10));
    let used = (cpu_ticks(pid) - before) as f64 / 100.0 / began.elapsed().as_secs_f64() * 100.0;
    println!(
        "| console: memory, resident | 1 | {:.1} MB | | |",
        resident(pid) as f64 / 1_048_576.0
    );
    println!("| console: processor while idle | 1 | {used:.2} % | | |");
    session.quit();
}

fn cursor_line(session: &Session) -> Option<usize> {
    line_of_cursor(&session.screen.0.lock().unwrap().screen().contents())
}

fn line_of_cursor(text: &str) -> Option<usize> {
    text.lines().position(|line| line.contains("> …"))
}

/// User and system time in hundredths of a second (`/proc/PID/stat`, fields 14 and 15).
fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
    status.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}
