//! Which servers texts, services, files and variables name, and what is refused.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use proptest::prelude::*;

use super::*;

/// Somebody's home, in which nothing is configured but what a test writes.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> String {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.display().to_string()
    }

    fn resolve(&self, text: &str, variables: &[(&str, &str)]) -> Result<Servers, String> {
        let home = ("HOME", self.0.path().to_str().unwrap());
        let environment = Environment::of(variables.iter().copied().chain([home]));
        let string = ConnectionString::from(text);
        let text = (!text.is_empty()).then_some(("DATABASE_URL", &string));
        resolve(text, &environment).map_err(|error| error.to_string())
    }
}

fn read(text: &str, variables: &[(&str, &str)]) -> Result<Servers, String> {
    Home::new().resolve(text, variables)
}

fn told(text: &str, variables: &[(&str, &str)]) -> String {
    read(text, variables).unwrap_err()
}

/// `Debug` of the driver's options is the only way to see a password in them.
fn password(options: &PgConnectOptions) -> Option<String> {
    let printed = format!("{options:?}");
    let (_, rest) = printed.split_once("password: ")?;
    let rest = rest.strip_prefix("Some(\"")?;
    Some(rest.split('"').next()?.to_owned())
}

#[test]
fn a_text_goes_before_a_service_and_a_service_before_variables() {
    let home = Home::new();
    home.write(".pg_service.conf", "[shop]\nhost=service\nport=2\nuser=service\n", 0o644);
    let variables = [
        ("PGSERVICE", "shop"),
        ("PGHOST", "variable"),
        ("PGPORT", "3"),
        ("PGUSER", "variable"),
        ("PGDATABASE", "variable"),
    ];
    let servers = home.resolve("postgres://text", &variables).unwrap();
    let host = &servers.hosts()[0];
    assert_eq!((host.get_host(), host.get_port()), ("text", 2));
    assert_eq!((host.get_username(), host.get_database()), ("service", Some("variable")));
    let named = home.resolve("service=shop", &[]).unwrap();
    assert_eq!(named.place(), "service:2/service");
    let none = home.resolve("", &variables[1..]).unwrap();
    assert_eq!(none.place(), "variable:3/variable");
}

#[test]
fn services_are_looked_for_where_libpq_does() {
    let home = Home::new();
    let system =
        home.write("etc/pg_service.conf", "[both]\nhost=system\n[shop]\nhost=system\n", 0o644);
    let system = Path::new(&system).parent().unwrap().to_str().unwrap();
    let dir = ("PGSYSCONFDIR", system);
    let host = |text: &str, variables: &[(&str, &str)]| {
        home.resolve(text, variables).map(|servers| servers.hosts()[0].get_host().to_owned())
    };
    assert_eq!(host("service=both", &[dir]).unwrap(), "system");
    home.write(".pg_service.conf", "[both]\nhost=own\n", 0o644);
    assert_eq!(host("service=both", &[dir]).unwrap(), "own");
    assert_eq!(host("postgres://?service=shop", &[dir]).unwrap(), "system");
    let named = home.write("named.conf", "[both]\nhost=named\n", 0o644);
    for variables in [[dir, ("PGSERVICEFILE", &named)], [dir, ("PGSSLSNI", "1")]] {
        let text = if variables[1].0 == "PGSERVICEFILE" {
            "service=both".to_owned()
        } else {
            format!("service=both servicefile={named}")
        };
        assert_eq!(host(&text, &variables).unwrap(), "named");
    }
    let error = host("service=nobody", &[dir]).unwrap_err();
    assert!(error.contains(".pg_service.conf") && error.contains("PGSERVICEFILE"), "{error}");
    let error = host("", &[("PGSERVICE", "shop"), ("PGSERVICEFILE", "/nonexistent/file")]);
    assert!(error.unwrap_err().contains("/nonexistent/file cannot be used"));
    home.write(".pg_service.conf", "[bad]\nhost=db\nsslmod=require\n", 0o644);
    let error = host("service=bad", &[dir]).unwrap_err();
    assert!(error.contains("line 3") && error.contains("did you mean sslmode?"), "{error}");
}

#[test]
fn hosts_ports_and_addresses_are_paired() {
    let place = |text: &str| read(text, &[("PGDATABASE", "x")]).map(|servers| servers.place());
    assert_eq!(place("postgres://a:1,b,[::1]:3").unwrap(), "a:1,b:5432,[::1]:3/x");
    assert_eq!(place("host=a,b port=7").unwrap(), "a:7,b:7/x");
    assert_eq!(place("host=/run/pg,b port=7,8").unwrap(), "/run/pg,b:8/x");
    assert_eq!(place("hostaddr=10.0.0.1,::1").unwrap(), "10.0.0.1:5432,[::1]:5432/x");
    assert_eq!(place("host=a hostaddr=10.0.0.1 sslmode=require").unwrap(), "10.0.0.1:5432/x");
    for (text, why) in [
        ("host=a,b hostaddr=10.0.0.1", "1 addresses and 2 hosts"),
        ("host=a,b,c port=1,2", "2 ports and 3 hosts"),
        ("host=a port=0", "1 to 65535"),
        ("host=a port=x", "1 to 65535"),
        ("postgres://a:65536", "1 to 65535"),
        ("hostaddr=db.example", "no numerical address"),
        ("host=a hostaddr=10.0.0.1 sslmode=verify-full", "for the address"),
        ("host=@abstract", "no name"),
        ("host='a b'", "no name"),
    ] {
        let error = place(text).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn sockets_have_no_tls_whatever_is_asked() {
    let socket = read("postgres://%2Fsrv%2Fpg/x?sslmode=verify-full", &[]).unwrap();
    assert_eq!(socket.hosts()[0].get_socket().unwrap(), Path::new("/srv/pg"));
    assert!(matches!(socket.hosts()[0].get_ssl_mode(), PgSslMode::Disable));
}

#[test]
fn the_user_is_the_systems_and_the_database_the_users() {
    let servers = read("postgres://db", &[]).unwrap();
    let host = &servers.hosts()[0];
    assert!(!host.get_username().is_empty());
    assert_eq!(host.get_database(), Some(host.get_username()));
    assert!(told("postgres://db", &[("PGUSER", "")]).contains("PGUSER"));
}

#[test]
fn passwords_come_from_text_service_variable_or_file() {
    let home = Home::new();
    home.write(".pg_service.conf", "[shop]\nhost=db\npassword=service\n", 0o600);
    home.write(
        ".pgpass",
        "a:5432:*:mai:of-a\nb:*:*:mai:of-b\nlocalhost:*:*:mai:of-socket\n",
        0o600,
    );
    let passwords = |text: &str, variables: &[(&str, &str)]| -> Vec<Option<String>> {
        let servers = home.resolve(text, variables).unwrap();
        servers.hosts().iter().map(password).collect()
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(passwords("postgres://mai@a,b,c/x", &[]), [some("of-a"), some("of-b"), None]);
    assert_eq!(passwords("postgres://mai@/x?host=/tmp", &[]), [some("of-socket")]);
    assert_eq!(passwords("postgres://mai@a/x", &[("PGPASSWORD", "variable")]), [some("variable")]);
    assert_eq!(passwords("service=shop", &[("PGPASSWORD", "variable")]), [some("service")]);
    assert_eq!(passwords("postgres://mai:t%40xt@a", &[("PGPASSWORD", "variable")]), [some("t@xt")]);
    let other = home.write("other", "*:*:*:*:other\n", 0o600);
    assert_eq!(passwords("postgres://mai@a", &[("PGPASSFILE", &other)]), [some("other")]);
    assert_eq!(passwords(&format!("host=a passfile={other}"), &[]), [some("other")]);
    home.write("other", "*:*:*:*:other\n", 0o644);
    let servers = home.resolve("postgres://mai@a", &[("PGPASSFILE", &other)]).unwrap();
    assert_eq!(password(&servers.hosts()[0]), None);
    assert!(servers.login_hint.unwrap().contains("chmod 600"));
}

#[test]
fn tls_is_never_weaker_than_libpqs() {
    let home = Home::new();
    let root = home.write("ca.crt", "", 0o644);
    let mode = |text: &str, variables: &[(&str, &str)]| {
        let servers = home.resolve(text, variables)?;
        let hint = servers.tls_hint.is_some();
        Ok::<_, String>((format!("{:?}", servers.hosts()[0].get_ssl_mode()), hint))
    };
    let is = |text: &str, variables: &[(&str, &str)], expected: &str, hint: bool| {
        assert_eq!(mode(text, variables), Ok((expected.to_owned(), hint)), "{text} {variables:?}");
    };
    let with_root = |mode: &str| format!("host=db sslmode={mode} sslrootcert={root}");
    is("host=db", &[], "Prefer", false);
    is("host=db sslmode=allow", &[], "Prefer", false);
    is("host=db sslmode=disable", &[], "Disable", false);
    is("host=db sslmode=require", &[], "Require", false);
    is("host=db sslmode=verify-full", &[], "VerifyFull", false);
    is("host=db sslmode=verify-ca", &[], "VerifyFull", true);
    is(&with_root("verify-ca"), &[], "VerifyFull", true);
    is(&with_root("require"), &[], "VerifyFull", true);
    is(&with_root("prefer"), &[], "Prefer", false);
    let alone = ("SSL_CERT_FILE", root.as_str());
    is(&with_root("verify-ca"), &[alone], "VerifyCa", false);
    is(&with_root("require"), &[alone], "VerifyCa", false);
    is(&with_root("verify-ca"), &[alone, ("SSL_CERT_DIR", "/etc/ssl/certs")], "VerifyFull", true);
    is("host=db sslrootcert=system", &[], "VerifyFull", false);
    is("host=db", &[("PGSSLROOTCERT", "system")], "VerifyFull", false);
    is("host=db requiressl=1", &[], "Require", false);
    is("postgres://db?ssl=true", &[], "Require", false);
    is("host=db", &[("PGREQUIRESSL", "1")], "Require", false);
    is("host=db", &[("PGREQUIRESSL", "1"), ("PGSSLMODE", "disable")], "Disable", false);
    for (text, variables, why) in [
        ("host=db", &[("PGSSLMODE", "verify-ful")][..], "PGSSLMODE cannot be used: it is none of"),
        ("host=db", &[("PGSSLMODE", "verify-ful")], "did you mean verify-full?"),
        ("host=db", &[("PGSSLMODE", "")], "PGSSLMODE"),
        ("host=db", &[("PGSSLMOD", "verify-full")], "did you mean PGSSLMODE?"),
        ("host=db", &[("PGREQUIRESSL", "yes")], "PGREQUIRESSL"),
        ("host=db sslmode=Require", &[], "sslmode in DATABASE_URL"),
        ("postgres://db?sslmod=verify-full", &[], "did you mean sslmode?"),
        ("postgres://db?ssl=false", &[], "ssl in DATABASE_URL"),
        ("host=db sslmode=require sslrootcert=system", &[], "only verify-full"),
        ("host=db sslmode=verify-full sslrootcert=/nonexistent", &[], "cannot be read"),
        ("host=db sslkey=/nonexistent", &[("PGSSLKEY", "/nonexistent")], "go together"),
        ("host=db sslcert=/nonexistent", &[], "sslcert in DATABASE_URL"),
    ] {
        let error = mode(text, variables).unwrap_err();
        assert!(error.contains(why), "{text} {variables:?}: {error}");
    }
    // What stands in the usual places counts as well.
    home.write(".postgresql/root.crt", "", 0o644);
    is("host=db sslmode=require", &[], "VerifyFull", true);
    home.write(".postgresql/postgresql.crt", "", 0o644);
    assert!(mode("host=db", &[]).unwrap_err().contains("has no key"));
    home.write(".postgresql/postgresql.key", "", 0o644);
    assert!(mode("host=db", &[]).unwrap_err().contains("chmod 600"));
    home.write(".postgresql/postgresql.key", "", 0o600);
    is("host=db", &[], "Prefer", false);
    home.write(".postgresql/root.crl", "", 0o644);
    assert!(mode("host=db sslmode=require", &[]).unwrap_err().contains("revocation"));
}

#[test]
fn settings_for_sessions_are_passed_on() {
    let servers = read(r"host=db options='-c geqo=off --work-mem=64\\ MB'", &[]).unwrap();
    assert_eq!(servers.hosts()[0].get_options(), Some(r"-c geqo=off -c work_mem=64\ MB"));
    assert!(told("host=db options=-e", &[]).contains("-c NAME=VALUE"));
    let servers = read("host=db", &[("PGOPTIONS", "-c geqo=off")]).unwrap();
    assert_eq!(servers.hosts()[0].get_options(), Some("-c geqo=off"));
}

#[test]
fn which_server_and_how_long() {
    let servers = read(
        "postgres://a,b?target_session_attrs=prefer-standby&load_balance_hosts=random&connect_timeout=3",
        &[("PGCONNECT_TIMEOUT", "x")],
    )
    .unwrap();
    assert_eq!(servers.wanted, Wanted::PreferStandby);
    assert!(servers.random && servers.timeout == Some(Duration::from_secs(3)));
    assert_eq!(read("host=a connect_timeout=0", &[]).unwrap().timeout, None);
    assert!(told("host=a", &[("PGCONNECT_TIMEOUT", "soon")]).contains("PGCONNECT_TIMEOUT"));
    assert!(told("host=a target_session_attrs=writable", &[]).contains("read-write"));
    // The last of two holds, as with libpq.
    assert_eq!(read("postgres://a?host=b&host=c", &[("PGUSER", "x")]).unwrap().place(), "c:5432/x");
}

#[test]
fn passwords_in_strings_of_other_drivers_are_not_taken_for_names() {
    for text in [
        "user=mai;password=s3cret host=db",
        "postgres://db/x;password=s3cret",
        "host=db;password=s3cret;database=x",
        "Host=db;Password=s3cret",
        "Server=db;User Id=mai;Pwd=s3cret;",
        "jdbc:postgresql://db/x?user=mai&password=s3cret",
        "postgres://mai:s3cret",
        "postgres:mai:s3cret@db/x",
        "postgres//mai:s3cret@db/x",
        "postgres://mai:s3cret@db:port/x",
        "s3cret",
    ] {
        let error = told(text, &[]);
        assert!(!error.contains("s3cret"), "{text}: {error}");
    }
}

const MARK: &str = "s3cretMARK";

fn junk() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[@/:?#&=%;,' \"\\\\\\[\\]+a0.]{0,6}").unwrap()
}

proptest! {
    /// However a password is written, and wherever it went wrong: it is not printed.
    #[test]
    fn a_password_is_never_printed(before in junk(), after in junk(), form in 0usize..14) {
        let password = format!("{before}{MARK}{after}");
        let text = match form {
            0 => format!("postgres://mai:{password}@db:5432/ordering?sslmode=require"),
            1 => format!("postgresql://mai:{password}@db1,db2/ordering"),
            2 => format!("postgres://db/ordering?user=mai&password={password}"),
            3 => format!("postgres://db/ordering?passwrod={password}&user=mai"),
            4 => format!("host=db user=mai password={password} dbname=ordering"),
            5 => format!("host=db user=mai password='{password}' dbname=ordering"),
            6 => format!("Host=db;Username=mai;Password={password};Database=ordering"),
            7 => format!("host=db;username=mai;password={password};database=ordering"),
            8 => format!("jdbc:postgresql://db/ordering?user=mai&password={password}"),
            9 => format!("postgres//mai:{password}@db/ordering"),
            10 => format!("mai:{password}@db/ordering"),
            11 => format!("postgres://mai:{password}@[::1/ordering"),
            12 => format!("user=mai;password={password} host=db"),
            _ => format!("postgres://mai:{password}@db:x/ordering?sslmode=no"),
        };
        let home = ("HOME", "/nonexistent");
        let string = ConnectionString::from(text.as_str());
        for environment in [Environment::of([home]), Environment::of([home, ("PGSSLMODE", "no")])] {
            let printed = match resolve(Some(("DATABASE_URL", &string)), &environment) {
                Ok(servers) => {
                    let name = sqlx::postgres::PgConnectOptions::get_username;
                    let users = servers.hosts().iter().map(name).collect::<String>();
                    format!("{servers:?} {} {users} {string:?}", servers.place())
                }
                Err(error) => format!("{error} {error:?} {string:?}"),
            };
            prop_assert!(!printed.contains(MARK), "{text}: {printed}");
        }
        // Nor when it stands in a variable, or in the arguments.
        for name in ["PGSSLMODE", "PGPORT", "PGHOSTADDR", "PGCONNECT_TIMEOUT", "PGTARGETSESSIONATTRS", "PGSERVICE"] {
            let environment = Environment::of([home, (name, text.as_str()), ("PGPASSWORD", MARK)]);
            if let Err(error) = resolve(None, &environment) {
                prop_assert!(!format!("{error} {error:?} {environment:?}").contains(MARK), "{error}");
            }
        }
    }
}
