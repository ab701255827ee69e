//! A proxy in front of a server's socket that stalls, cuts, delays and refuses when it is told to.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use sqlx::postgres::PgConnectOptions;

/// What happens to connections, new ones and those that are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Pass,
    /// Connections stay open and nothing comes through.
    Stall,
    /// Like passing until the server has said so many bytes on a connection.
    StallAfter(usize),
    /// Connections end.
    Cut,
    /// The same, and nobody listens for new ones.
    Refuse,
    /// Every piece comes this much later.
    Delay(Duration),
}

/// Listens until the test process ends.
pub struct Proxy {
    mode: Arc<Mutex<Mode>>,
    port: u16,
    database: String,
}

/// How often a connection that is held up looks whether it still is.
const TICK: Duration = Duration::from_millis(10);

impl Proxy {
    pub fn before(options: &PgConnectOptions) -> Self {
        let mode = Arc::new(Mutex::new(Mode::Pass));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let socket = options.get_socket().unwrap().join(".s.PGSQL.5432");
        let told = Arc::clone(&mode);
        thread::spawn(move || {
            let mut listener = Some(listener);
            loop {
                let now = *told.lock().unwrap();
                if now == Mode::Refuse {
                    listener = None;
                } else if listener.is_none() {
                    listener = TcpListener::bind(("127.0.0.1", port)).ok();
                }
                let client = listener.as_ref().and_then(|listener| {
                    listener.set_nonblocking(true).unwrap();
                    listener.accept().ok()
                });
                let Some((client, _)) = client else {
                    thread::sleep(TICK);
                    continue;
                };
                if now == Mode::Cut {
                    continue;
                }
                client.set_nonblocking(false).unwrap();
                let server = UnixStream::connect(&socket).unwrap();
                let (mode, other) = (Arc::clone(&told), Arc::clone(&told));
                let (back, forth) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let (ends, ended) = (end(&client, &server), end(&client, &server));
                client.set_read_timeout(Some(TICK)).unwrap();
                server.set_read_timeout(Some(TICK)).unwrap();
                thread::spawn(move || carry(client, forth, false, &mode, &ends));
                thread::spawn(move || carry(server, back, true, &other, &ended));
            }
        });
        Self { mode, port, database: options.get_database().unwrap().to_owned() }
    }

    pub fn set(&self, mode: Mode) {
        let before = std::mem::replace(&mut *self.mode.lock().unwrap(), mode);
        // It is listened again before anything is asked.
        while before == Mode::Refuse
            && mode != Mode::Refuse
            && TcpStream::connect(("127.0.0.1", self.port)).is_err()
        {
            thread::sleep(TICK);
        }
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{}?sslmode=disable", self.port, self.database)
    }
}

fn end(client: &TcpStream, server: &UnixStream) -> impl Fn() + use<> {
    let (client, server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    move || {
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    }
}

fn carry(mut from: impl Read, mut to: impl Write, said: bool, mode: &Mutex<Mode>, end: &impl Fn()) {
    let mut piece = [0; 8_192];
    let mut carried = 0;
    loop {
        let count = match from.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => 0,
            Err(_) => break,
        };
        // What was read is held as long as nothing comes through.
        let now = loop {
            match *mode.lock().unwrap() {
                Mode::Stall => {}
                Mode::StallAfter(most) if said && carried >= most => {}
                now => break now,
            }
            thread::sleep(TICK);
        };
        match now {
            Mode::Cut | Mode::Refuse => break,
            Mode::Delay(time) if count > 0 => thread::sleep(time),
            _ => {}
        }
        if to.write_all(&piece[..count]).is_err() {
            break;
        }
        carried += count;
    }
    end();
}
