//! Which servers a URL, a string, a service and variables name, decided as libpq decides it. What cannot be done
//! as libpq does it is done more strictly or refused, never more weakly, and nothing that is misspelt is passed over.

mod options;
mod parameters;
mod parse;
mod passfile;
mod service;
mod sockets;
mod text;
mod tls;

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use sqlx::postgres::{PgConnectOptions, PgSslMode};

pub use self::{
    parameters::{PARAMETERS, Parameter, Rule},
    text::{ConnectionString, has_password, is_address_like, without_passwords},
};
use self::{parse::Pairs, passfile::PassFile, tls::Tls};
use super::{Environment, Error};
use crate::{
    domain::search::nearest,
    servers::{Servers, Wanted},
};

/// What a text of its own, a service and the variables say together.
struct Values {
    /// By keyword, with where it was said.
    all: BTreeMap<&'static str, (String, String)>,
}

/// The servers that `text`, said by `what`, and the environment name.
pub(super) fn resolve(
    text: Option<(&str, &ConnectionString)>,
    environment: &Environment,
) -> Result<Servers, Error> {
    let values = Values::gather(text, environment)?;
    let options = values.options()?;
    let user = values.user(environment)?;
    let database = values.get("dbname").unwrap_or(user.as_deref().unwrap_or_default()).to_owned();
    let passfile = match values.get("password") {
        Some(_) => PassFile::Absent,
        None => PassFile::read(values.get("passfile"), environment),
    };
    let places = values.places()?;
    let tls = if places.iter().all(Place::is_socket) {
        Tls::none()
    } else {
        Tls::of(&values, environment)?
    };
    let mut hosts = Vec::new();
    for Place { host, address, port } in &places {
        let mut one = options.clone().port(*port);
        if let Some(user) = &user {
            one = one.username(user);
        }
        let database =
            if database.is_empty() { one.get_username().to_owned() } else { database.clone() };
        let login = one.get_username().to_owned();
        one = one.database(&database);
        let known = if host.is_empty() { address } else { host };
        let password = values
            .get("password")
            .map(str::to_owned)
            .or_else(|| passfile.password(known, *port, &database, &login));
        if let Some(password) = password {
            one = one.password(&password);
        }
        one = if host.starts_with('/') && address.is_empty() {
            one.socket(host).ssl_mode(PgSslMode::Disable)
        } else {
            if !address.is_empty() && !host.is_empty() && address != host && tls.verifies() {
                let place = values.origin("hostaddr");
                return Err(wrong(
                    &place,
                    "with a host name beside it the certificate would be checked for the address; leave it out",
                ));
            }
            tls.set(one.host(if address.is_empty() { host } else { address }))
        };
        hosts.push(one);
    }
    let mut hosts = hosts.into_iter();
    // One place there is at least.
    let first = hosts.next().unwrap_or_default();
    let mut servers = Servers::new(first, hosts.collect());
    let wanted = values.get("target_session_attrs");
    servers.wanted = Wanted::ALL
        .into_iter()
        .find_map(|(word, is)| (Some(word) == wanted).then_some(is))
        .unwrap_or_default();
    servers.random = values.get("load_balance_hosts") == Some("random");
    let seconds = values.get("connect_timeout").and_then(|text| text.trim().parse::<i64>().ok());
    servers.timeout = seconds
        .and_then(|seconds| u64::try_from(seconds).ok())
        .filter(|seconds| *seconds > 0)
        .map(Duration::from_secs);
    if let PassFile::Ignored(why) = passfile {
        servers.login_hint = Some(why);
    }
    servers.tls_hint = tls.hint().map(str::to_owned);
    Ok(servers)
}

/// One of the hosts: its name or socket directory, its numerical address, its port.
struct Place {
    host: String,
    address: String,
    port: u16,
}

impl Place {
    fn is_socket(&self) -> bool {
        self.host.starts_with('/') && self.address.is_empty()
    }
}

impl Values {
    fn gather(
        text: Option<(&str, &ConnectionString)>,
        environment: &Environment,
    ) -> Result<Self, Error> {
        if let Some(name) = environment.unreadable() {
            return Err(wrong(name, "its value is not UTF-8"));
        }
        misspelt(environment)?;
        let mut values = Self { all: BTreeMap::new() };
        if let Some((what, text)) = text {
            let pairs = parse::parse(text.text()).map_err(|why| wrong(what, why))?;
            values.add(pairs, what, true)?;
        }
        let named = |keyword, variable| {
            let said = values.get(keyword).map(str::to_owned);
            said.or_else(|| environment.value(variable).map(str::to_owned))
        };
        if let Some(service) = named("service", "PGSERVICE") {
            let file = named("servicefile", "PGSERVICEFILE");
            let (pairs, path) = service::find(&service, file.as_deref(), environment)?;
            values.add(pairs, &path.display().to_string(), false)?;
        }
        for row in PARAMETERS.iter().filter(|row| !row.keyword.is_empty()) {
            if let Some(value) = environment.set(row.variable)
                && row.keyword != "requiressl"
            {
                values.put(row.keyword, value.to_owned(), row.variable.to_owned(), false);
            }
        }
        if let Some(value) = environment.set("PGREQUIRESSL")
            && !values.all.contains_key("sslmode")
        {
            values.require(value, "PGREQUIRESSL".to_owned(), false)?;
        }
        for (keyword, (value, origin)) in &values.all {
            check(keyword, value, origin)?;
        }
        Ok(values)
    }

    /// Takes what was read; what is there already stays unless `last` holds.
    fn add(&mut self, pairs: Pairs, from: &str, last: bool) -> Result<(), Error> {
        for (keyword, value) in pairs {
            let origin = format!("{keyword} in {from}");
            match keyword {
                "requiressl" => self.require(&value, origin, last)?,
                "ssl" => {
                    check(keyword, &value, &origin)?;
                    self.put("sslmode", "require".to_owned(), origin, last);
                }
                _ => self.put(keyword, value, origin, last),
            }
        }
        Ok(())
    }

    fn require(&mut self, value: &str, origin: String, last: bool) -> Result<(), Error> {
        check("requiressl", value, &origin)?;
        let mode = if value == "1" { "require" } else { "prefer" };
        self.put("sslmode", mode.to_owned(), origin, last);
        Ok(())
    }

    fn put(&mut self, keyword: &'static str, value: String, origin: String, last: bool) {
        if last || !self.all.contains_key(keyword) {
            self.all.insert(keyword, (value, origin));
        }
    }

    /// What a keyword says, if it says anything.
    fn get(&self, keyword: &str) -> Option<&str> {
        self.all.get(keyword).map(|(value, _)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Where it was said.
    fn origin(&self, keyword: &str) -> String {
        self.all.get(keyword).map_or_else(|| keyword.to_owned(), |(_, origin)| origin.clone())
    }

    /// The role that was named; else the driver finds the operating system's user.
    fn user(&self, environment: &Environment) -> Result<Option<String>, Error> {
        let user = self.get("user").map(str::to_owned);
        if user.is_none() && environment.set("PGUSER") == Some("") {
            return Err(wrong(
                "PGUSER",
                "it is empty; unset it to log in as the operating system's user",
            ));
        }
        Ok(user)
    }

    /// Options with the settings that were given for the sessions.
    fn options(&self) -> Result<PgConnectOptions, Error> {
        let options = PgConnectOptions::new_without_pgpass();
        let Some(given) = self.get("options") else { return Ok(options) };
        let origin = self.origin("options");
        let settings = options::settings(given)
            .ok_or_else(|| wrong(&origin, "only -c NAME=VALUE and --NAME=VALUE are taken"))?;
        match options.get_options() {
            // The driver takes those of PGOPTIONS by itself.
            Some(inherited) if inherited == given => Ok(options),
            Some(inherited) if !inherited.is_empty() => {
                Err(wrong(&origin, "PGOPTIONS says other options, which would be added; unset it"))
            }
            _ => Ok(options.options(settings)),
        }
    }

    /// The hosts with their addresses and ports, as libpq pairs them.
    fn places(&self) -> Result<Vec<Place>, Error> {
        let list = |keyword| -> Vec<&str> {
            self.get(keyword).map_or_else(Vec::new, |text| text.split(',').collect())
        };
        let (hosts, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
        let count = [hosts.len(), addresses.len(), 1].into_iter().max().unwrap_or(1);
        if !hosts.is_empty() && !addresses.is_empty() && hosts.len() != addresses.len() {
            return Err(wrong(
                &self.origin("hostaddr"),
                format!("there are {} addresses and {} hosts", addresses.len(), hosts.len()),
            ));
        }
        if ports.len() > 1 && ports.len() != count {
            return Err(wrong(
                &self.origin("port"),
                format!("there are {} ports and {count} hosts", ports.len()),
            ));
        }
        let at =
            |list: &[&str], index: usize| list.get(index).map_or("", |text| text.trim()).to_owned();
        (0..count)
            .map(|index| {
                let port = at(&ports, if ports.len() == 1 { 0 } else { index });
                let port = match port.as_str() {
                    "" => 5432,
                    text => text.parse().ok().filter(|port| *port > 0).ok_or_else(|| {
                        wrong(&self.origin("port"), "a port is a number from 1 to 65535")
                    })?,
                };
                let (mut host, address) = (at(&hosts, index), at(&addresses, index));
                if !address.is_empty() && address.parse::<IpAddr>().is_err() {
                    return Err(wrong(
                        &self.origin("hostaddr"),
                        "it is no numerical address; host takes names",
                    ));
                }
                if host.is_empty() && address.is_empty() {
                    sockets::default_host(port).clone_into(&mut host);
                }
                if !is_host(&host) {
                    return Err(wrong(
                        &self.origin("host"),
                        "it is no name, no address and no directory of a socket",
                    ));
                }
                Ok(Place { host, address, port })
            })
            .collect()
    }
}

/// What can be a host; anything else may be part of a password.
fn is_host(host: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    let path = |c: char| !c.is_control() && c != '@';
    if host.starts_with('/') { host.chars().all(path) } else { host.chars().all(plain) }
}

/// A misspelt variable for TLS would leave the connection unprotected.
fn misspelt(environment: &Environment) -> Result<(), Error> {
    let known = || PARAMETERS.iter().map(|row| row.variable).filter(|name| !name.is_empty());
    let strange = environment
        .names()
        .find(|name| name.starts_with("PGSSL") && !known().any(|variable| variable == *name));
    let Some(name) = strange else { return Ok(()) };
    // Words are compared in lower case.
    let known: Vec<_> = known().map(str::to_lowercase).collect();
    let hint = nearest(name, known.iter().map(String::as_str)).map_or_else(
        || "docs/configuration.md lists those there are".to_owned(),
        |near| format!("did you mean {}?", near.to_uppercase()),
    );
    Err(wrong(name, format!("there is no such variable; {hint}")))
}

/// Holds a value against its row of the table.
fn check(keyword: &str, value: &str, origin: &str) -> Result<(), Error> {
    let Some(row) = parameters::parameter(keyword) else { return Ok(()) };
    match row.rule {
        // Names are printed, by us and by servers: `user=mai;password=…` is .NET's way and no name.
        Rule::Text if !matches!(keyword, "password" | "options") && has_password(value) => {
            Err(wrong(origin, format!("a password stands in it; {}", parse::FORM)))
        }
        Rule::Text | Rule::Ignored(_) => Ok(()),
        Rule::Refused(why) if !value.is_empty() => {
            Err(wrong(origin, format!("{keyword} is not supported: {why}")))
        }
        Rule::Refused(_) => Ok(()),
        Rule::Number(from, to) => match value.trim() {
            "" => Ok(()),
            text if text.parse::<i64>().is_ok_and(|number| (from..=to).contains(&number)) => Ok(()),
            _ => Err(wrong(origin, "it is no whole number")),
        },
        Rule::Words(taken, refused) => {
            if taken.contains(&value) {
                return Ok(());
            }
            if let Some((word, why)) = refused.iter().find(|(word, _)| *word == value) {
                return Err(wrong(origin, format!("{word} is not supported: {why}")));
            }
            let words = || taken.iter().copied().chain(refused.iter().map(|(word, _)| *word));
            let words: Vec<_> = words().filter(|word| !word.is_empty()).collect();
            let near = nearest(value, words.iter().copied()).filter(|_| !value.is_empty());
            let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
            Err(wrong(origin, format!("it is none of {}{near}", words.join(", "))))
        }
    }
}

/// What is wrong with a way to name a database, without its words.
fn wrong(place: &str, why: impl Into<String>) -> Error {
    Error::Connection { place: place.to_owned(), why: why.into() }
}

#[cfg(test)]
mod tests;
