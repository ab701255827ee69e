//! Requests to the broker's management interface: which error queues there are, how many messages of a queue are
//! unacknowledged, of which type exchanges are. Plain HTTP by hand, instead of a whole HTTP client.

use std::{fmt::Write as _, time::Duration};

use serde::{Deserialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Broker, Error};

/// An answer longer than this is not read.
const LONGEST: u64 = 16 << 20;

/// Where it listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Management {
    host: String,
    port: u16,
}

/// An error queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedQueue {
    pub name: String,
    pub quorum: bool,
}

/// A queue with its counts, which are some seconds late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedMessage {
    pub name: String,
    pub quorum: bool,
    /// Delivered and not acknowledged, where the interface reports that.
    pub unsettled: Option<u64>,
}

/// An exchange of the broker and its type, as the broker names it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ListedExchange {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    #[serde(default, rename = "type")]
    kind: String,
    messages_unacknowledged: Option<u64>,
}

impl Management {
    /// Reads `http://host[:port]`; the usual port is 15672.
    ///
    /// # Errors
    /// When it is no such address. There is no TLS here.
    pub fn parse(url: &str) -> Result<Self, Error> {
        let not = |why: &str| Error::ManagementUrl(why.to_owned());
        let rest =
            url.trim().strip_prefix("http://").ok_or_else(|| not("it must begin with http://"))?;
        let rest = rest.trim_end_matches('/');
        if rest.contains(['/', '@', '?', '#']) {
            return Err(not("host and port only; the login is the broker's"));
        }
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| not("its port is no number"))?)
            }
            _ => (rest, 15_672),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || host.contains(char::is_whitespace) {
            return Err(not("it names no host"));
        }
        Ok(Self { host: host.to_owned(), port })
    }

    /// The queues of the broker's virtual host whose names end in `_error` or `_skipped`, by name.
    ///
    /// # Errors
    /// When it does not answer in time, refuses the login or answers something else.
    pub async fn error_queues(
        &self,
        broker: &Broker,
        wait: Duration,
    ) -> Result<Vec<ListedQueue>, Error> {
        let rows = self.rows(broker, wait).await?;
        let mut out: Vec<_> = rows
            .into_iter()
            .filter(|row| row.name.ends_with("_error") || row.name.ends_with("_skipped"))
            .map(|row| ListedQueue { name: row.name, quorum: row.kind == "quorum" })
            .collect();
        out.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(out)
    }

    /// All queues of the broker's virtual host.
    ///
    /// # Errors
    /// When it does not answer in time, refuses the login or answers something else.
    pub async fn queues(
        &self,
        broker: &Broker,
        wait: Duration,
    ) -> Result<Vec<QueuedMessage>, Error> {
        let rows = self.rows(broker, wait).await?;
        let kept = |row: Row| QueuedMessage {
            quorum: row.kind != "classic",
            unsettled: row.messages_unacknowledged,
            name: row.name,
        };
        Ok(rows.into_iter().map(kept).collect())
    }

    /// All exchanges of the broker's virtual host.
    ///
    /// # Errors
    /// When it does not answer in time, refuses the login or answers something else.
    pub async fn exchanges(
        &self,
        broker: &Broker,
        wait: Duration,
    ) -> Result<Vec<ListedExchange>, Error> {
        self.listed(broker, "exchanges", "name,type", wait).await
    }

    async fn rows(&self, broker: &Broker, wait: Duration) -> Result<Vec<Row>, Error> {
        self.listed(broker, "queues", "name,type,messages_unacknowledged", wait).await
    }

    async fn listed<T: DeserializeOwned>(
        &self,
        broker: &Broker,
        what: &str,
        columns: &str,
        wait: Duration,
    ) -> Result<Vec<T>, Error> {
        let asked = tokio::time::timeout(wait, self.ask(broker, what, columns)).await;
        let answer = asked.unwrap_or_else(|_| Err(format!("not within {} s", wait.as_secs_f32())));
        answer.and_then(|answer| list(&answer, what)).map_err(|why| self.silent(why))
    }

    fn silent(&self, why: String) -> Error {
        Error::Management { place: format!("{}:{}", self.host, self.port), why }
    }

    async fn ask(&self, broker: &Broker, what: &str, columns: &str) -> Result<Vec<u8>, String> {
        let told = |error: std::io::Error| error.to_string();
        let uri = broker.uri();
        let mut vhost = String::new();
        for byte in uri.vhost.bytes() {
            // Writing to a String cannot fail.
            let _ = write!(vhost, "%{byte:02X}");
        }
        let login = &uri.authority.userinfo;
        let login = base64(format!("{}:{}", login.username, login.password).as_bytes());
        // Version 1.0: the answer ends with the connection and comes in one piece.
        let request = format!(
            "GET /api/{what}/{vhost}?columns={columns} HTTP/1.0\r\nHost: {}\r\n\
             Authorization: Basic {login}\r\nAccept: application/json\r\n\r\n",
            self.host
        );
        let mut stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(told)?;
        stream.write_all(request.as_bytes()).await.map_err(told)?;
        let mut answer = vec![];
        stream.take(LONGEST).read_to_end(&mut answer).await.map_err(told)?;
        Ok(answer)
    }
}

fn list<T: DeserializeOwned>(answer: &[u8], what: &str) -> Result<Vec<T>, String> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or("it is no HTTP")?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let status = head.split_whitespace().nth(1).unwrap_or_default();
    match status {
        "200" => {}
        "401" => return Err("it refused the login (401); the user needs the tag management".into()),
        "404" => return Err("it knows no such virtual host (404)".into()),
        other => return Err(format!("it answered with status {other:?}")),
    }
    serde_json::from_slice(&answer[end + 4..])
        .map_err(|why| format!("its answer is no list of {what}: {why}"))
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let part = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = part(0) << 16 | part(1) << 8 | part(2);
        for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let letter = LETTERS[(bits >> shift & 63) as usize];
            out.push(if at <= three.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn addresses_are_hosts_and_ports() {
        let at = |host: &str, port| Ok(Management { host: host.to_owned(), port });
        assert_eq!(Management::parse("http://mq.example"), at("mq.example", 15_672));
        assert_eq!(Management::parse(" http://mq:8080/ "), at("mq", 8080));
        assert_eq!(Management::parse("http://[::1]:80"), at("::1", 80));
        assert_eq!(Management::parse("http://[::1]"), at("::1", 15_672));
        for wrong in
            ["", "mq", "https://mq", "http://", "http://u:p@mq", "http://mq/x", "http://mq:x"]
        {
            assert!(matches!(Management::parse(wrong), Err(Error::ManagementUrl(_))), "{wrong}");
        }
    }

    #[test]
    fn logins_are_encoded() {
        for (text, expected) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
            assert_eq!(base64(text.as_bytes()), expected);
        }
        assert_eq!(base64(b"guest:guest?>"), "Z3Vlc3Q6Z3Vlc3Q/Pg==");
    }

    #[tokio::test]
    async fn what_consumers_hold_is_told_or_not_known() {
        let answer = "HTTP/1.0 200 OK\r\n\r\n\
             [{\"name\":\"a\",\"messages_unacknowledged\":7},{\"name\":\"b\"}]";
        let ask =
            async |management: Management, broker, wait| management.queues(&broker, wait).await;
        let (_, told) = serving(answer, ask).await;
        let held: Vec<_> = told.unwrap().into_iter().map(|kept| kept.unsettled).collect();
        assert_eq!(held, [Some(7), None]);
    }

    async fn asked(answer: &'static str) -> (String, Result<Vec<ListedQueue>, Error>) {
        serving(answer, async |management, broker, wait| {
            management.error_queues(&broker, wait).await
        })
        .await
    }

    async fn serving<T>(
        answer: &'static str,
        ask: impl AsyncFnOnce(Management, Broker, Duration) -> T,
    ) -> (String, T) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4_096];
            let read = stream.read(&mut request).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(request[..read].to_vec()).unwrap()
        };
        let broker = Broker::parse("amqp://u:p@h/a%20b", None).unwrap();
        let management = Management { host: "127.0.0.1".to_owned(), port };
        tokio::join!(serve, ask(management, broker, Duration::from_secs(30)))
    }

    #[tokio::test]
    async fn error_queues_are_told_from_others() {
        let (request, listed) = asked(
            "HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n\
             [{\"name\":\"b_skipped\",\"type\":\"quorum\"},{\"name\":\"b\"},{\"name\":\"a_error\"}]",
        )
        .await;
        assert!(request.starts_with(
            "GET /api/queues/%61%20%62?columns=name,type,messages_unacknowledged HTTP/1.0\r\n"
        ));
        assert!(request.contains("Authorization: Basic dTpw\r\n"));
        let queue = |name: &str, quorum| ListedQueue { name: name.to_owned(), quorum };
        assert_eq!(listed, Ok(vec![queue("a_error", false), queue("b_skipped", true)]));
    }

    #[tokio::test]
    async fn other_answers_are_told_apart() {
        for (answer, told) in [
            ("HTTP/1.0 401 Unauthorized\r\n\r\n", "refused the login"),
            ("HTTP/1.0 500 Oops\r\n\r\n", "\"500\""),
            ("HTTP/1.0 200 OK\r\n\r\n<html>", "no list of queues"),
            ("SSH-2.0", "no HTTP"),
            ("", "no HTTP"),
        ] {
            let error = asked(answer).await.1.unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
