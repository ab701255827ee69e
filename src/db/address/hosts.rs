//! One of several servers: tried in order, as libpq does it, until one answers that is wanted.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use sqlx::postgres::PgConnectOptions;

use super::super::Error;
use crate::servers::{Servers, Wanted, host};

/// The servers of an address, and which of them answered last: all sessions of a console are to be with one
/// server, so that server is asked first.
#[derive(Debug)]
pub(super) struct Hosts {
    servers: Servers,
    first: AtomicUsize,
}

/// What a server is, as a session finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    pub standby: bool,
    /// Transactions are read-only unless they say otherwise.
    pub read_only: bool,
}

/// A session and the state of its server; none where that was not asked.
pub(super) type Tried<T> = (T, Option<State>);

impl Hosts {
    pub fn new(servers: Servers) -> Self {
        // No other randomness is needed than that of a hash map.
        let random = usize::try_from(RandomState::new().hash_one(0) >> 32).unwrap_or_default();
        let servers = if servers.random { servers.starting_at(random) } else { servers };
        Self { servers, first: AtomicUsize::new(0) }
    }

    pub const fn servers(&self) -> &Servers {
        &self.servers
    }

    /// Whether it matters how the server treats transactions.
    pub fn asks_for_read_only(&self) -> bool {
        matches!(self.servers.wanted, Wanted::ReadWrite | Wanted::ReadOnly)
    }

    /// Opens a session with the first server that answers within `limit` and is wanted.
    ///
    /// A server that refuses the login ends the search, as with libpq.
    pub async fn open<T, F>(
        &self,
        limit: Duration,
        open: impl Fn(PgConnectOptions) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<Tried<T>, Error>>,
    {
        let limit = self.servers.timeout.unwrap_or(limit);
        let wanted = self.servers.wanted;
        if wanted == Wanted::PreferStandby {
            match self.round(limit, Wanted::Standby, &open).await {
                Err(Error::Unreachable { .. }) => {}
                other => return other,
            }
            return self.round(limit, Wanted::Any, &open).await;
        }
        self.round(limit, wanted, &open).await
    }

    async fn round<T, F>(
        &self,
        limit: Duration,
        wanted: Wanted,
        open: &impl Fn(PgConnectOptions) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<Tried<T>, Error>>,
    {
        let hosts = self.servers.hosts();
        let first = self.first.load(Ordering::Relaxed);
        let others = (0..hosts.len()).filter(|index| *index != first);
        let mut failed = Vec::new();
        let mut last = None;
        for (index, options) in std::iter::once(first)
            .chain(others)
            .filter_map(|index| Some((index, hosts.get(index)?)))
        {
            let tried = match tokio::time::timeout(limit, open(options.clone())).await {
                Ok(tried) => tried,
                Err(_) => Err(Error::Unreachable {
                    place: self.servers.place(),
                    why: format!("no answer within {} s", limit.as_secs_f32()),
                }),
            };
            match tried {
                Ok((session, state)) => match unfit(wanted, state) {
                    None => {
                        self.first.store(index, Ordering::Relaxed);
                        return Ok(session);
                    }
                    Some(why) => {
                        let why =
                            format!("{why}, and target_session_attrs={} is wanted", wanted.word());
                        failed.push((index, why));
                    }
                },
                Err(Error::Unreachable { why, .. }) => failed.push((index, why)),
                Err(error @ Error::Busy(_)) => {
                    failed.push((index, error.to_string()));
                    last = Some(error);
                }
                Err(Error::Login(why)) => {
                    return Err(Error::Login(with(why, self.servers.login_hint.as_deref())));
                }
                Err(Error::Tls(why)) => {
                    return Err(Error::Tls(with(why, self.servers.tls_hint.as_deref())));
                }
                Err(error) => return Err(error),
            }
        }
        if let (1, Some(error)) = (hosts.len(), last) {
            return Err(error);
        }
        failed.sort_by_key(|(index, _)| *index);
        let why = match &failed[..] {
            [(_, why)] => why.clone(),
            several => {
                let each = several.iter().filter_map(|(index, why)| {
                    Some(format!("{}: {why}", host(hosts.get(*index)?)))
                });
                each.collect::<Vec<_>>().join("; ")
            }
        };
        Err(Error::Unreachable { place: self.servers.place(), why })
    }
}

/// Why a server is not the one that is wanted.
fn unfit(wanted: Wanted, state: Option<State>) -> Option<&'static str> {
    let State { standby, read_only } = state?;
    match wanted {
        Wanted::Any | Wanted::PreferStandby => None,
        Wanted::Primary | Wanted::ReadWrite if standby => Some("it is a hot standby"),
        Wanted::ReadWrite if read_only => Some("its transactions are read-only by default"),
        Wanted::Primary | Wanted::ReadWrite => None,
        Wanted::ReadOnly if standby || read_only => None,
        Wanted::ReadOnly => Some("it can be written to"),
        Wanted::Standby if standby => None,
        Wanted::Standby => Some("it is no standby"),
    }
}

fn with(why: String, hint: Option<&str>) -> String {
    match hint {
        Some(hint) => format!("{why}; {hint}"),
        None => why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(wanted: Wanted) -> Hosts {
        let one = |host| PgConnectOptions::new_without_pgpass().host(host).port(1).database("x");
        let mut servers = Servers::new(one("a"), vec![one("b"), one("c")]);
        servers.wanted = wanted;
        Hosts::new(servers)
    }

    /// What each host is: none where it does not answer; whether it is a standby, and read-only.
    async fn chosen(hosts: &Hosts, are: [Option<(bool, bool)>; 3]) -> Result<String, String> {
        let opened = hosts.open(Duration::from_secs(5), |options| async move {
            let name = options.get_host().to_owned();
            let index = ["a", "b", "c"].iter().position(|known| *known == name).unwrap();
            match are[index] {
                Some((standby, read_only)) => Ok((name, Some(State { standby, read_only }))),
                None => Err(Error::Unreachable { place: String::new(), why: "refused".to_owned() }),
            }
        });
        opened.await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn the_first_that_is_wanted_is_taken() {
        let (primary, standby, locked) =
            (Some((false, false)), Some((true, true)), Some((false, true)));
        let expected = [
            (Wanted::Any, [None, standby, primary], Some("b")),
            (Wanted::Primary, [None, standby, primary], Some("c")),
            (Wanted::Primary, [standby, locked, primary], Some("b")),
            (Wanted::ReadWrite, [standby, locked, primary], Some("c")),
            (Wanted::ReadOnly, [primary, locked, standby], Some("b")),
            (Wanted::Standby, [primary, locked, standby], Some("c")),
            (Wanted::Standby, [primary, locked, None], None),
            (Wanted::PreferStandby, [primary, None, standby], Some("c")),
            (Wanted::PreferStandby, [None, primary, None], Some("b")),
            (Wanted::PreferStandby, [None, None, None], None),
        ];
        for (wanted, are, host) in expected {
            let taken = chosen(&hosts(wanted), are).await;
            assert_eq!(taken.as_deref().ok(), host, "{wanted:?} {are:?} {taken:?}");
        }
    }

    #[tokio::test]
    async fn each_failure_is_told() {
        let told = chosen(&hosts(Wanted::Standby), [None, Some((false, false)), None]).await;
        let told = told.unwrap_err();
        for part in ["a:1,b:1,c:1/x", "a:1: refused", "b:1: it is no standby", "c:1: refused"] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }

    #[tokio::test]
    async fn sessions_stay_with_the_server_that_answered() {
        let hosts = hosts(Wanted::Any);
        let any = Some((false, false));
        assert_eq!(chosen(&hosts, [None, any, any]).await.unwrap(), "b");
        assert_eq!(chosen(&hosts, [any, any, any]).await.unwrap(), "b");
        assert_eq!(chosen(&hosts, [any, None, any]).await.unwrap(), "a");
    }
}
