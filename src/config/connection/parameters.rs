//! Every parameter and variable of libpq, and what becomes of it here. The documentation is made from this
//! table; a test proves it row by row.

/// One row: a keyword of URLs and connection strings, its variable, or only one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// Empty where there is only a variable.
    pub keyword: &'static str,
    /// Empty where there is only a keyword.
    pub variable: &'static str,
    pub rule: Rule,
    pub help: &'static str,
}

/// What values are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Any text.
    Text,
    /// A whole number in this range.
    Number(i64, i64),
    /// One of the first words; the second ones are known and refused, each with its reason.
    Words(&'static [&'static str], &'static [(&'static str, &'static str)]),
    /// Refused, whatever it says, with the reason.
    Refused(&'static str),
    /// Ignored, whatever it says, with the reason.
    Ignored(&'static str),
}

impl Rule {
    /// How it stands, in one word or two.
    #[must_use]
    pub const fn standing(&self) -> &'static str {
        match self {
            Self::Text | Self::Number(..) | Self::Words(_, []) => "supported",
            Self::Words(..) => "in part",
            Self::Refused(_) => "refused",
            Self::Ignored(_) => "ignored",
        }
    }
}

/// The row of a keyword.
#[must_use]
pub fn parameter(keyword: &str) -> Option<&'static Parameter> {
    PARAMETERS.iter().find(|row| row.keyword == keyword && !keyword.is_empty())
}

const NO_GSS: &str = "Kerberos is not spoken here; a server that insists on it refuses the login";
const NO_OAUTH: &str = "OAuth is not spoken here";
const NO_CRL: &str = "revocation lists cannot be checked";
const SYSTEM: &str = "the operating system's settings for TCP hold";
const OWN_NAME: &str = "sessions are named orderscope/PURPOSE";

/// Every parameter and variable that libpq 18 knows.
pub const PARAMETERS: &[Parameter] = &[
    row(
        "service",
        "PGSERVICE",
        Rule::Text,
        "A section of a service file, whose values hold where the URL or string says nothing and go before variables. A \
         service that does not exist is an error",
    ),
    row(
        "servicefile",
        "PGSERVICEFILE",
        Rule::Text,
        "The service file; ~/.pg_service.conf by default. After it comes pg_service.conf in PGSYSCONFDIR",
    ),
    row(
        "",
        "PGSYSCONFDIR",
        Rule::Text,
        "Where the system's pg_service.conf is; by default /etc/postgresql-common, /etc/sysconfig/pgsql, \
         /usr/local/pgsql/etc or /etc, the first that has one",
    ),
    row(
        "host",
        "PGHOST",
        Rule::Text,
        "Server names, addresses or socket directories, separated by commas; tried in this order",
    ),
    row(
        "hostaddr",
        "PGHOSTADDR",
        Rule::Text,
        "Numerical addresses to connect to, as many as there are hosts. Refused beside a host name where the certificate \
         is verified: it would be checked for the address",
    ),
    row(
        "port",
        "PGPORT",
        Rule::Text,
        "One port for all hosts, or one for each, separated by commas; 5432 by default",
    ),
    row("dbname", "PGDATABASE", Rule::Text, "The database; the user's name by default"),
    row(
        "user",
        "PGUSER",
        Rule::Text,
        "The role to log in as; the operating system's user by default",
    ),
    row(
        "password",
        "PGPASSWORD",
        Rule::Text,
        "The password; refused in arguments, which other users of the machine can read",
    ),
    row(
        "passfile",
        "PGPASSFILE",
        Rule::Text,
        "The pass file; ~/.pgpass by default. One that its group or others may read is ignored, and a refused login says so",
    ),
    row(
        "connect_timeout",
        "PGCONNECT_TIMEOUT",
        Rule::Number(i32::MIN as i64, i32::MAX as i64),
        "Seconds to wait for each server; 5 where it is absent, zero or negative, because a console does not wait for ever",
    ),
    row(
        "target_session_attrs",
        "PGTARGETSESSIONATTRS",
        Rule::Words(
            &["any", "read-write", "read-only", "primary", "standby", "prefer-standby"],
            &[],
        ),
        "Which of several servers is taken",
    ),
    row(
        "load_balance_hosts",
        "PGLOADBALANCEHOSTS",
        Rule::Words(&["disable", "random"], &[]),
        "random: the hosts are tried in a random order, drawn once for a run: all sessions of a console are with one server",
    ),
    row(
        "options",
        "PGOPTIONS",
        Rule::Text,
        "Settings for the sessions, as -c NAME=VALUE or --NAME=VALUE; those that Orderscope makes itself (time limits, \
         search_path, TimeZone, read-only) win. Refused where a URL, string or service says other options than PGOPTIONS",
    ),
    row(
        "sslmode",
        "PGSSLMODE",
        Rule::Words(&["disable", "allow", "prefer", "require", "verify-ca", "verify-full"], &[]),
        "How TLS is used; never on sockets. Never weaker than libpq: allow is done as prefer; verify-ca is done as \
         verify-full, and so is require with a root certificate, unless SSL_CERT_FILE names the same file as sslrootcert \
         (so that no other authority is trusted)",
    ),
    row(
        "requiressl",
        "PGREQUIRESSL",
        Rule::Words(&["0", "1"], &[]),
        "The old form: 1 means sslmode=require, 0 means prefer; the variable counts where no sslmode is given",
    ),
    row("ssl", "", Rule::Words(&["true"], &[]), "In URLs: true means sslmode=require, as in JDBC"),
    row(
        "sslnegotiation",
        "PGSSLNEGOTIATION",
        Rule::Words(
            &["postgres"],
            &[("direct", "TLS without asking the server first cannot be done")],
        ),
        "How TLS begins",
    ),
    row(
        "sslrootcert",
        "PGSSLROOTCERT",
        Rule::Text,
        "A file of certificate authorities to trust besides the system's, or system: the system's alone, with verify-full. \
         By default ~/.postgresql/root.crt where it exists, else the system's. SSL_CERT_FILE replaces the system's",
    ),
    row(
        "sslcert",
        "PGSSLCERT",
        Rule::Text,
        "The client's certificate; ~/.postgresql/postgresql.crt where it exists",
    ),
    row(
        "sslkey",
        "PGSSLKEY",
        Rule::Text,
        "Its private key; ~/.postgresql/postgresql.key by default. Refused if its group or others may use it",
    ),
    row(
        "sslpassword",
        "",
        Rule::Refused("keys with a password cannot be read"),
        "The password of the private key",
    ),
    row(
        "sslcertmode",
        "PGSSLCERTMODE",
        Rule::Words(
            &["allow"],
            &[
                ("disable", "a certificate that is named is sent; name none instead"),
                ("require", "whether the server asked for the certificate is not known"),
            ],
        ),
        "Whether a certificate is sent",
    ),
    row("sslcrl", "PGSSLCRL", Rule::Refused(NO_CRL), "A list of revoked certificates"),
    row("sslcrldir", "PGSSLCRLDIR", Rule::Refused(NO_CRL), "A directory of such lists"),
    row(
        "sslsni",
        "PGSSLSNI",
        Rule::Words(&["1"], &[("0", "the server's name is always sent")]),
        "Whether TLS tells the server's name",
    ),
    row(
        "ssl_min_protocol_version",
        "PGSSLMINPROTOCOLVERSION",
        Rule::Words(
            &["", "TLSv1", "TLSv1.1", "TLSv1.2"],
            &[("TLSv1.3", "TLS 1.2 cannot be switched off; let the server insist")],
        ),
        "The oldest TLS; TLS 1.2 is the oldest in any case",
    ),
    row(
        "ssl_max_protocol_version",
        "PGSSLMAXPROTOCOLVERSION",
        Rule::Words(
            &["", "TLSv1.3"],
            &[
                ("TLSv1", "it is too old"),
                ("TLSv1.1", "it is too old"),
                ("TLSv1.2", "TLS 1.3 cannot be switched off"),
            ],
        ),
        "The newest TLS",
    ),
    row(
        "sslcompression",
        "PGSSLCOMPRESSION",
        Rule::Ignored("TLS is never compressed, as with libpq"),
        "Whether TLS compresses",
    ),
    row(
        "sslkeylogfile",
        "",
        Rule::Refused("keys of sessions are not written anywhere"),
        "Where to write TLS keys",
    ),
    row(
        "channel_binding",
        "PGCHANNELBINDING",
        Rule::Words(
            &["disable", "prefer"],
            &[(
                "require",
                "the login cannot be bound to the TLS channel here; verify-full proves the server",
            )],
        ),
        "Whether the login is bound to the TLS channel: it never is",
    ),
    row(
        "require_auth",
        "PGREQUIREAUTH",
        Rule::Refused("how the server asks for the password cannot be limited"),
        "Ways of login to accept",
    ),
    row(
        "requirepeer",
        "PGREQUIREPEER",
        Rule::Refused("the user behind a socket is not looked at"),
        "The user that must run the server",
    ),
    row(
        "scram_client_key",
        "",
        Rule::Refused("only passwords are known"),
        "A key in place of the password",
    ),
    row(
        "scram_server_key",
        "",
        Rule::Refused("only passwords are known"),
        "A key in place of the password",
    ),
    row(
        "gssencmode",
        "PGGSSENCMODE",
        Rule::Words(&["disable", "prefer"], &[("require", "Kerberos encryption cannot be done")]),
        "Encryption by Kerberos: it is never used",
    ),
    row("krbsrvname", "PGKRBSRVNAME", Rule::Ignored(NO_GSS), "The server's Kerberos name"),
    row("gsslib", "PGGSSLIB", Rule::Ignored(NO_GSS), "The library for Kerberos"),
    row(
        "gssdelegation",
        "PGGSSDELEGATION",
        Rule::Words(&["0"], &[("1", "Kerberos is not spoken here")]),
        "Whether credentials are passed on: they never are",
    ),
    row("oauth_issuer", "", Rule::Refused(NO_OAUTH), "Who issues tokens"),
    row("oauth_client_id", "", Rule::Refused(NO_OAUTH), "The client's name there"),
    row("oauth_client_secret", "", Rule::Refused(NO_OAUTH), "Its secret"),
    row("oauth_scope", "", Rule::Refused(NO_OAUTH), "What a token is for"),
    row(
        "min_protocol_version",
        "PGMINPROTOCOLVERSION",
        Rule::Words(
            &["", "3.0"],
            &[("3.2", "protocol 3.0 is spoken"), ("latest", "protocol 3.0 is spoken")],
        ),
        "The oldest protocol",
    ),
    row(
        "max_protocol_version",
        "PGMAXPROTOCOLVERSION",
        Rule::Words(&["", "3.0", "3.2", "latest"], &[]),
        "The newest protocol; it is 3.0 in any case",
    ),
    row(
        "replication",
        "",
        Rule::Words(
            &["", "false", "off", "no", "0"],
            &[
                ("true", "sessions for replication are of no use here"),
                ("on", "sessions for replication are of no use here"),
                ("yes", "sessions for replication are of no use here"),
                ("1", "sessions for replication are of no use here"),
                ("database", "sessions for replication are of no use here"),
            ],
        ),
        "Whether it is a session for replication: it never is",
    ),
    row("application_name", "PGAPPNAME", Rule::Ignored(OWN_NAME), "How sessions are called"),
    row("fallback_application_name", "", Rule::Ignored(OWN_NAME), "How sessions are called"),
    row(
        "client_encoding",
        "PGCLIENTENCODING",
        Rule::Ignored("sessions speak UTF-8; the server converts"),
        "The encoding of sessions",
    ),
    row("keepalives", "", Rule::Ignored(SYSTEM), "Whether TCP checks that the server is there"),
    row("keepalives_idle", "", Rule::Ignored(SYSTEM), "After how many seconds"),
    row("keepalives_interval", "", Rule::Ignored(SYSTEM), "Seconds between two checks"),
    row("keepalives_count", "", Rule::Ignored(SYSTEM), "How many checks may fail"),
    row("tcp_user_timeout", "", Rule::Ignored(SYSTEM), "How long data may be unconfirmed"),
    row(
        "",
        "PGDATESTYLE",
        Rule::Ignored("sessions use ISO dates; what is shown follows zone"),
        "How the server writes dates",
    ),
    row(
        "",
        "PGTZ",
        Rule::Ignored("sessions use UTC; what is shown follows zone"),
        "The zone of sessions",
    ),
    row(
        "",
        "PGGEQO",
        Rule::Ignored("plans are the server's own; options=-c geqo=… sets it"),
        "How the server plans",
    ),
    row("", "PGLOCALEDIR", Rule::Ignored("there are no translations"), "Where translations are"),
];

const fn row(
    keyword: &'static str,
    variable: &'static str,
    rule: Rule,
    help: &'static str,
) -> Parameter {
    Parameter { keyword, variable, rule, help }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_once() {
        for name in PARAMETERS.iter().flat_map(|row| [row.keyword, row.variable]) {
            let times =
                PARAMETERS.iter().filter(|row| row.keyword == name || row.variable == name).count();
            assert!(name.is_empty() || times == 1, "{name}");
        }
    }
}
