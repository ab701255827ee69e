//! Which broker: its URL, shown without the password.

use std::fmt;

use lapin::uri::{AMQPScheme, AMQPUri};

use super::Error;
use crate::domain::address::Home;

/// A RabbitMQ broker and the login to it.
#[derive(Clone)]
pub struct Broker {
    uri: AMQPUri,
}

impl Broker {
    /// Reads `amqp[s]://user:password@host[:port]/virtualhost`; `rabbitmq[s]` means the same. Without a
    /// password in the URL the one given beside it is used.
    ///
    /// # Errors
    /// When it is no such URL. The message does not repeat it: it may hold a password.
    pub fn parse(url: &str, password: Option<String>) -> Result<Self, Error> {
        let text = url.trim();
        let text = match text.split_once("://") {
            Some(("rabbitmq", rest)) => format!("amqp://{rest}"),
            Some(("rabbitmqs", rest)) => format!("amqps://{rest}"),
            _ => text.to_owned(),
        };
        let mut uri: AMQPUri = text.parse().map_err(Error::Url)?;
        if uri.vhost.is_empty() {
            "/".clone_into(&mut uri.vhost);
        }
        if let Some(password) = password {
            uri.authority.userinfo.password = password;
        }
        Ok(Self { uri })
    }

    /// `host:port` and the virtual host where it is not `/`, for messages.
    #[must_use]
    pub fn place(&self) -> String {
        let authority = &self.uri.authority;
        let inside = self.uri.vhost.trim_start_matches('/');
        let slash = if inside.is_empty() { "" } else { "/" };
        format!("{}:{}{slash}{inside}", authority.host, authority.port)
    }

    /// The user that logs in.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.uri.authority.userinfo.username
    }

    /// What short addresses are completed with.
    #[must_use]
    pub fn home(&self) -> Home {
        let tls = self.uri.scheme == AMQPScheme::AMQPS;
        let authority = &self.uri.authority;
        Home::new(tls, &authority.host, authority.port, &self.uri.vhost)
    }

    pub(super) fn uri(&self) -> AMQPUri {
        self.uri.clone()
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Broker({}@{})", self.user(), self.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let broker = Broker::parse("amqp://relay:s3cret@mq.example/shop", None).unwrap();
        assert_eq!(broker.place(), "mq.example:5672/shop");
        assert_eq!(format!("{broker:?}"), "Broker(relay@mq.example:5672/shop)");
        let error = Broker::parse("amqp//relay:s3cret@mq", None).unwrap_err().to_string();
        assert!(!error.contains("s3cret"), "{error}");
    }

    #[test]
    fn every_way_to_name_the_usual_virtual_host() {
        for url in ["amqp://h", "amqp://h/", "amqp://h/%2f", "rabbitmq://h:5672/"] {
            let broker = Broker::parse(url, Some("x".to_owned())).unwrap();
            assert_eq!(broker.place(), "h:5672", "{url}");
            assert_eq!(broker.uri().vhost, "/");
        }
    }
}
