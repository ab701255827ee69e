//! Connecting as libpq does: each row of the table of parameters, several hosts, a standby, TLS, services, and no
//! password in anything that is printed.

use std::{collections::BTreeSet, net::TcpListener};

use orderscope::{
    config::{Environment, Given, PARAMETERS, Parameter, Rule, Settings, Target, choose},
    db::{self, Db, Error, Limits, standby},
    servers::{Servers, Wanted},
};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::{
    support::{
        pgbouncer::Pooler,
        replica::{Pair, pair},
    },
    verbs::Home,
};

/// The servers that `DATABASE_URL` or other variables name.
fn servers(variables: &[(&str, &str)]) -> Result<Servers, String> {
    let dir = tempfile::tempdir().unwrap();
    let home = ("HOME", dir.path().to_str().unwrap());
    let environment = Environment::of(variables.iter().copied().chain([home]));
    let file = dir.path().join("config.toml");
    std::fs::write(&file, "").unwrap();
    let settings = Settings::read(Some(file), environment).unwrap();
    let context = choose(&Given::default(), &settings).map_err(|error| error.to_string())?;
    match context.target {
        Target::Server(server) => Ok(server.servers),
        Target::Embedded => Err("the private database".to_owned()),
    }
}

/// Everything that the driver is told.
fn told(servers: &Servers) -> String {
    format!("{:?} {:?} {:?} {:?}", servers.hosts(), servers.wanted, servers.timeout, servers.random)
}

/// A value that a row takes, and what then shows that it was taken.
fn proof(row: &Parameter) -> (String, &'static str) {
    let own = |name: &str| {
        let path =
            std::env::temp_dir().join(format!("orderscope-proof-{}-{name}", std::process::id()));
        path.display().to_string()
    };
    let text = |value: &str, seen| (value.to_owned(), seen);
    match (row.keyword, row.variable) {
        // A file with a service, and a pass file, are made by the test.
        ("service", _) => text("proof", "host: \"of-the-service\""),
        ("servicefile", _) => (own("service"), ""),
        (_, "PGSYSCONFDIR") => (own("dir"), ""),
        ("host", _) => text("other", "host: \"other\""),
        ("hostaddr", _) => text("10.1.2.3", "host: \"10.1.2.3\""),
        ("port", _) => text("77", "port: 77"),
        ("dbname", _) => text("stock", "database: Some(\"stock\")"),
        ("user", _) => text("kim", "username: \"kim\""),
        ("password", _) => text("pw", "password: Some(\"pw\")"),
        ("passfile", _) => (own("pass"), "password: Some(\"of-the-file\")"),
        ("connect_timeout", _) => text("7", "Some(7s)"),
        ("options", _) => text("-c geqo=off", "-c geqo=off"),
        ("sslrootcert", _) => text("system", "VerifyFull"),
        ("sslcert" | "sslkey", _) => (own("cert"), "ssl_client_key: Some"),
        (keyword, variable) => panic!("no proof for {keyword} {variable}: add one"),
    }
}

/// A row's value as part of a URL, of a string, and as a variable, each with a host beside it.
fn ways(row: &Parameter, value: &str) -> Vec<Vec<(&'static str, String)>> {
    let mut ways = vec![];
    if !row.keyword.is_empty() {
        let escaped: String = value
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
                other => format!("%{other:02X}"),
            })
            .collect();
        ways.push(vec![("DATABASE_URL", format!("postgres:///?{}={escaped}", row.keyword))]);
        if row.keyword != "ssl" {
            ways.push(vec![("DATABASE_URL", format!("{}='{value}'", row.keyword))]);
        }
    }
    if !row.variable.is_empty() {
        ways.push(vec![(row.variable, value.to_owned())]);
    }
    ways
}

fn named(way: &[(&'static str, String)], more: &[(&'static str, &str)]) -> Result<Servers, String> {
    let mut all: Vec<(&str, &str)> =
        way.iter().map(|(name, value)| (*name, value.as_str())).collect();
    for (name, value) in more {
        if !all.iter().any(|(other, _)| other == name) {
            all.push((name, value));
        }
    }
    servers(&all)
}

#[test]
fn every_row_of_the_table_holds() {
    use std::os::unix::fs::PermissionsExt;
    let write = |name: &str, text: &str| {
        let path =
            std::env::temp_dir().join(format!("orderscope-proof-{}-{name}", std::process::id()));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    };
    let service = "[proof]\nhost=of-the-service\n";
    let file = write("service", service);
    let system = write("dir/pg_service.conf", service);
    let made = [file.clone(), write("pass", "*:*:*:*:of-the-file\n"), write("cert", "")];
    let plain = told(&servers(&[("PGHOST", "db"), ("PGUSER", "mai")]).unwrap());
    for row in PARAMETERS {
        let name = format!("{} {}", row.keyword, row.variable);
        let usual = [("PGHOST", "db"), ("PGUSER", "mai")];
        let takes = |value: &str| {
            for way in ways(row, value) {
                named(&way, &usual).unwrap_or_else(|why| panic!("{name} {way:?}: {why}"));
            }
        };
        let refuses = |value: &str, words: &str| {
            for way in ways(row, value) {
                let why = named(&way, &usual).map(|servers| told(&servers));
                let why = why.expect_err(&format!("{name} {way:?} is taken"));
                assert!(why.contains(words), "{name} {way:?}: {why}");
            }
        };
        match row.rule {
            Rule::Words(taken, refused) => {
                for word in taken {
                    takes(word);
                }
                for (word, why) in refused {
                    refuses(word, "is not supported");
                    refuses(word, why);
                }
                refuses("nonsense", "it is none of");
                refuses(&format!("{}x", taken.last().unwrap()), "it is none of");
            }
            Rule::Refused(why) => {
                refuses("anything", "is not supported");
                refuses("anything", why);
            }
            Rule::Ignored(_) => {
                for way in ways(row, "anything") {
                    assert_eq!(told(&named(&way, &usual).unwrap()), plain, "{name} {way:?}");
                }
            }
            Rule::Text | Rule::Number(..) => {
                let (value, seen) = proof(row);
                let service = file.display().to_string();
                let cert = made[2].display().to_string();
                let more: &[(&str, &str)] = match (row.keyword, row.variable) {
                    ("service", _) => &[("PGSERVICEFILE", &service), ("PGUSER", "mai")],
                    ("servicefile", _) | (_, "PGSYSCONFDIR") => {
                        &[("PGSERVICE", "proof"), ("PGUSER", "mai")]
                    }
                    ("hostaddr", _) => &[("PGUSER", "mai")],
                    ("sslcert", _) => &[("PGHOST", "db"), ("PGUSER", "mai"), ("PGSSLKEY", &cert)],
                    ("sslkey", _) => &[("PGHOST", "db"), ("PGUSER", "mai"), ("PGSSLCERT", &cert)],
                    _ => &usual,
                };
                let seen = match (row.keyword, row.variable) {
                    ("servicefile", _) | (_, "PGSYSCONFDIR") => "host: \"of-the-service\"",
                    _ => seen,
                };
                assert!(!plain.contains(seen), "{name}: {seen} proves nothing");
                for way in ways(row, &value) {
                    let told =
                        told(&named(&way, more).unwrap_or_else(|why| panic!("{name}: {why}")));
                    assert!(told.contains(seen), "{name} {way:?}: {told}");
                }
            }
        }
    }
    for path in made {
        std::fs::remove_file(path).unwrap();
    }
    std::fs::remove_dir_all(system.parent().unwrap()).unwrap();
}

/// The words that decide between servers do something.
#[test]
fn words_reach_the_driver() {
    for (word, wanted) in Wanted::ALL {
        let found = servers(&[("PGHOST", "db"), ("PGTARGETSESSIONATTRS", word)]).unwrap();
        assert_eq!(found.wanted, wanted);
    }
    assert!(servers(&[("PGHOST", "a,b"), ("PGLOADBALANCEHOSTS", "random")]).unwrap().random);
    // Each variable of libpq is in the table, and none that is made up.
    let known: BTreeSet<_> = PARAMETERS.iter().map(|row| row.variable).collect();
    let header = "PGHOST PGHOSTADDR PGPORT PGDATABASE PGUSER PGPASSWORD PGPASSFILE PGREQUIREAUTH \
        PGCHANNELBINDING PGSERVICE PGSERVICEFILE PGOPTIONS PGAPPNAME PGSSLMODE PGREQUIRESSL PGSSLNEGOTIATION \
        PGSSLCOMPRESSION PGSSLCERT PGSSLKEY PGSSLCERTMODE PGSSLROOTCERT PGSSLCRL PGSSLCRLDIR PGSSLSNI \
        PGREQUIREPEER PGSSLMINPROTOCOLVERSION PGSSLMAXPROTOCOLVERSION PGGSSENCMODE PGKRBSRVNAME PGGSSLIB \
        PGGSSDELEGATION PGCONNECT_TIMEOUT PGCLIENTENCODING PGTARGETSESSIONATTRS PGLOADBALANCEHOSTS \
        PGMINPROTOCOLVERSION PGMAXPROTOCOLVERSION PGDATESTYLE PGTZ PGGEQO PGSYSCONFDIR PGLOCALEDIR";
    let expected: BTreeSet<_> = header.split_whitespace().chain([""]).collect();
    assert_eq!(known, expected);
}

/// What a session says of itself.
async fn ask(servers: &Servers, sql: &str) -> Result<String, Error> {
    let db = Db::new(servers, &Limits::default());
    let stop = CancellationToken::new();
    let answer = db.read("test", &stop, async |conn| {
        Ok(sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(conn).await?)
    });
    let answer = answer.await;
    db.close().await;
    answer
}

/// A URL of the pair's servers by TCP.
fn url(ports: &[u16], more: &str) -> String {
    let hosts: Vec<_> = ports.iter().map(|port| format!("localhost:{port}")).collect();
    format!("postgres://postgres@{}/postgres{more}", hosts.join(","))
}

fn at(url: &str) -> Servers {
    servers(&[("DATABASE_URL", url)]).unwrap()
}

/// A port at which nothing answers.
fn dead() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn the_first_host_that_answers_is_taken() {
    let pair = pair();
    let (one, two) = (dead(), dead());
    let port = "SELECT current_setting('port')";
    let found = ask(&at(&url(&[one, pair.primary], "")), port).await.unwrap();
    assert_eq!(found, pair.primary.to_string());
    let error = ask(&at(&url(&[one, two], "")), port).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    for host in [one, two] {
        assert!(error.to_string().contains(&format!("localhost:{host}: ")), "{error}");
    }
    // One that takes the connection and says nothing.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let mute = mute.local_addr().map(|at| (mute, at.port())).unwrap();
    let patient = at(&url(&[mute.1, pair.primary], "?connect_timeout=1"));
    assert_eq!(ask(&patient, port).await.unwrap(), pair.primary.to_string());
    // A refused login ends the search.
    let refused = format!("postgres://nobody@localhost:{},localhost:{one}/x", pair.primary);
    let error = ask(&at(&refused), port).await.unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");
}

#[tokio::test]
async fn the_server_that_is_wanted_is_taken() {
    let pair = pair();
    let port = "SELECT current_setting('port')";
    let both = [[pair.standby, pair.primary], [pair.primary, pair.standby]];
    let expected = [
        ("primary", pair.primary),
        ("read-write", pair.primary),
        ("standby", pair.standby),
        ("read-only", pair.standby),
        ("prefer-standby", pair.standby),
    ];
    for (wanted, expected) in expected {
        for hosts in both {
            let servers = at(&url(&hosts, &format!("?target_session_attrs={wanted}")));
            assert_eq!(ask(&servers, port).await.unwrap(), expected.to_string(), "{wanted}");
            // What is wanted does not change what our sessions may do.
            let read_only = ask(&servers, "SHOW default_transaction_read_only").await.unwrap();
            assert_eq!(read_only, "on", "{wanted}");
        }
    }
    let error = ask(&at(&url(&[pair.standby], "?target_session_attrs=primary")), port).await;
    assert!(error.unwrap_err().to_string().contains("it is a hot standby"));
    // A primary whose transactions are read-only by default is none to write to.
    let mut conn =
        PgConnection::connect_with(&pair.options(pair.primary, "postgres")).await.unwrap();
    conn.execute(
        "CREATE ROLE looker LOGIN; ALTER ROLE looker SET default_transaction_read_only = on",
    )
    .await
    .unwrap();
    conn.close().await.unwrap();
    let looker =
        format!("postgres://looker@localhost:{}/postgres?target_session_attrs=", pair.primary);
    let error = ask(&at(&(looker.clone() + "read-write")), port).await.unwrap_err();
    assert!(error.to_string().contains("read-only by default"), "{error}");
    assert_eq!(ask(&at(&(looker + "read-only")), port).await.unwrap(), pair.primary.to_string());
}

#[tokio::test]
async fn a_standby_is_named_and_not_written_to() {
    let pair = pair();
    let mut conn =
        PgConnection::connect_with(&pair.options(pair.primary, "postgres")).await.unwrap();
    conn.execute("CREATE DATABASE shop").await.unwrap();
    conn.close().await.unwrap();
    let primary = pair.options(pair.primary, "shop");
    let mut conn = PgConnection::connect_with(&primary).await.unwrap();
    db::migrate::migrate(&mut conn).await.unwrap();
    assert_eq!(standby::replay(&mut conn).await.unwrap(), None);
    conn.close().await.unwrap();
    pair.replayed("shop").await;

    let options = pair.options(pair.standby, "shop");
    let db = Db::new(&options, &Limits::default());
    db.layout().await.unwrap();
    assert!(db.is_standby());
    let replay = db.read("test", &CancellationToken::new(), standby::replay).await.unwrap();
    assert!(replay.unwrap().behind.is_some());
    for error in [
        db.writing().session("test").await.map(drop).unwrap_err(),
        db.record("test", async |_| Ok(())).await.unwrap_err(),
        db::connect(&options, "test").await.map(drop).unwrap_err(),
    ] {
        assert!(matches!(error, Error::Standby(_)), "{error}");
        assert!(error.to_string().contains("can only be read"), "{error}");
    }
    db.close().await;
    let db = Db::new(&primary, &Limits::default());
    db.layout().await.unwrap();
    assert!(!db.is_standby());
    // Reading from the standby, writing to the primary.
    let both = Db::through(&options, Some((&primary).into()), false, &Limits::default());
    both.layout().await.unwrap();
    assert!(both.is_standby() && both.writes_elsewhere());
    both.writing().session("test").await.unwrap().finish();
    assert!(both.is_standby());

    // Found out through a pooler too.
    let pooler = Pooler::start(&options, 2, "");
    let through = Db::new(pooler.through(&options), &Limits::default());
    through.layout().await.unwrap();
    assert!(through.is_standby());
    through.close().await;

    // By verbs, in words and with a code of its own.
    let home = Home::at(&format!("postgres://postgres@localhost:{}/shop", pair.standby));
    assert_eq!(home.run(&["orders", "search"]).code, 1);
    for verb in ["messages", "inbox"] {
        let status = home.answer(&[verb, "status"], 0);
        assert!(status["standby"]["behind_seconds"].is_u64(), "{status}");
        let table = home.run(&[verb, "status"]);
        assert!(format!("{}{}", table.out, table.err).contains("hot standby, "), "{table:?}");
    }
    home.refused(
        &["migrate", "--reason", "INC-7", "--yes"],
        4,
        &["hot standby", "name the primary"],
    );
    let order =
        ["order", "cancel", "0199a3f2-0000-7000-8000-000000000001", "--reason", "x", "--yes"];
    home.refused(&order, 4, &["hot standby"]);
}

#[tokio::test]
async fn the_certificate_is_proven_as_asked() {
    let pair = pair();
    let tls = "SELECT coalesce(version, 'plain') FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let (ca, other) = (pair.file("ca.crt"), pair.file("other-ca.crt"));
    let one = |host: &str, more: &str| {
        at(&format!("postgres://postgres@{host}:{}/postgres?{more}", pair.primary))
    };
    for (host, more, expected) in [
        ("localhost", "sslmode=disable".to_owned(), "plain"),
        ("localhost", "sslmode=require".to_owned(), "TLSv1.3"),
        ("localhost", "sslmode=prefer".to_owned(), "TLSv1.3"),
        ("localhost", "ssl=true".to_owned(), "TLSv1.3"),
        ("localhost", format!("sslmode=verify-full&sslrootcert={ca}"), "TLSv1.3"),
        ("localhost", format!("sslmode=verify-ca&sslrootcert={ca}"), "TLSv1.3"),
        ("127.0.0.1", format!("sslmode=prefer&sslrootcert={ca}"), "TLSv1.3"),
    ] {
        assert_eq!(ask(&one(host, &more), tls).await.unwrap(), expected, "{host} {more}");
    }
    for (host, more, words) in [
        ("localhost", "sslmode=verify-full".to_owned(), "UnknownIssuer"),
        ("localhost", "sslrootcert=system".to_owned(), "UnknownIssuer"),
        ("localhost", format!("sslmode=verify-full&sslrootcert={other}"), "UnknownIssuer"),
        ("localhost", format!("sslmode=require&sslrootcert={other}"), "UnknownIssuer"),
        ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={ca}"), "not valid for name"),
        ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={ca}"), "SSL_CERT_FILE"),
    ] {
        let error = ask(&one(host, &more), tls).await.unwrap_err();
        let (Error::Tls(why), told) = (&error, error.to_string()) else { panic!("{error}") };
        assert!(why.contains(words), "{host} {more}: {told}");
    }
    // With no other authority trusted, verify-ca is what it says.
    let mut home = Home::at(&format!("postgres://postgres@127.0.0.1:{}/postgres", pair.primary));
    home.variables = vec![
        ("PGSSLMODE", "verify-ca".to_owned()),
        ("PGSSLROOTCERT", ca.clone()),
        ("SSL_CERT_FILE", ca),
    ];
    home.refused(&["orders", "search"], 4, &["not a database of the Ordering Service"]);
    home.variables[2].1 = other;
    home.refused(&["orders", "search"], 3, &["no secure connection"]);
}

#[tokio::test]
async fn a_client_shows_its_certificate() {
    let pair = pair();
    let (cert, key) = (own(pair, "client.crt"), own(pair, "client.key"));
    role(pair, "CREATE ROLE certified LOGIN").await;
    let at_it = format!("postgres://certified@localhost:{}/postgres", pair.primary);
    let who = "SELECT current_user::text";
    let shown = at(&format!("{at_it}?sslcert={}&sslkey={}", cert.1, key.1));
    assert_eq!(ask(&shown, who).await.unwrap(), "certified");
    let error = ask(&at(&at_it), who).await.unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");
}

/// A file of the pair as one of this user's own.
fn own(pair: &Pair, name: &str) -> (tempfile::TempDir, String) {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::copy(pair.file(name), &path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let shown = path.display().to_string();
    (dir, shown)
}

async fn role(pair: &Pair, sql: &'static str) {
    let mut conn =
        PgConnection::connect_with(&pair.options(pair.primary, "postgres")).await.unwrap();
    conn.execute(sql).await.unwrap();
    conn.close().await.unwrap();
}

#[tokio::test]
async fn passwords_come_from_a_pass_file_that_nobody_else_reads() {
    use std::os::unix::fs::PermissionsExt;
    let pair = pair();
    role(pair, "CREATE ROLE guarded LOGIN PASSWORD 's3:cr\\et'").await;
    let home = Home::at(&format!("postgres://guarded@localhost:{}/postgres", pair.primary));
    let path = home.dir.path().join(".pgpass");
    let line = format!("localhost:{}:*:guarded:s3\\:cr\\\\et\n", pair.primary);
    std::fs::write(&path, line).unwrap();
    let mode =
        |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o600);
    home.refused(&["orders", "search"], 4, &["not a database of the Ordering Service"]);
    mode(0o640);
    home.refused(&["orders", "search"], 3, &["refused the login", "was ignored", "chmod 600"]);
}

#[tokio::test]
async fn a_service_opens_the_database_it_names() {
    let pair = pair();
    let mut home = Home::new();
    let service = home.dir.path().join(".pg_service.conf");
    let text =
        format!("[shop]\nhost=localhost\nport={}\ndbname=nowhere\nuser=postgres\n", pair.primary);
    std::fs::write(&service, text).unwrap();
    home.variables = vec![("PGSERVICE", "shop".to_owned())];
    home.refused(&["orders", "search"], 3, &["\"nowhere\" does not exist"]);
    home.variables[0].1 = "shpo".to_owned();
    home.refused(&["orders", "search"], 2, &["service", ".pg_service.conf"]);
    home.variables.clear();
    let by_name = ["--database-url", "service=shop", "orders", "search"];
    home.refused(&by_name, 3, &["\"nowhere\" does not exist"]);
    std::fs::write(
        home.dir.path().join("context.toml"),
        "[contexts.shop]\nurl = \"service=shop\"\n",
    )
    .unwrap();
    let context = ["--config", "context.toml", "--context", "shop", "orders", "search"];
    home.refused(&context, 3, &["\"nowhere\" does not exist"]);
}

#[tokio::test]
async fn settings_of_pgoptions_reach_the_server() {
    let pair = pair();
    let options = url(&[pair.primary], "?options=-c%20geqo%3Doff%20-c%20statement_timeout%3D1");
    assert_eq!(ask(&at(&options), "SHOW geqo").await.unwrap(), "off");
    // Our own go before them.
    assert_eq!(ask(&at(&options), "SHOW statement_timeout").await.unwrap(), "2s");
    let mut home = Home::at(&url(&[pair.primary], ""));
    home.variables = vec![("PGOPTIONS", "-c role=nobody_there".to_owned())];
    home.refused(&["orders", "search"], 4, &["nobody_there"]);
    home.variables[0].1 = "-e".to_owned();
    home.refused(&["orders", "search"], 2, &["PGOPTIONS", "-c NAME=VALUE"]);
    let both = url(&[pair.primary], "?options=-c%20geqo%3Doff");
    let mut home = Home::at(&both);
    home.variables = vec![("PGOPTIONS", "-c work_mem=1MB".to_owned())];
    home.refused(&["orders", "search"], 2, &["PGOPTIONS", "unset it"]);
}

#[test]
fn a_password_is_nowhere_in_what_a_run_leaves() {
    let secret = "s3cretMARK";
    for text in [
        format!("postgres://mai:{secret}@localhost:1/x"),
        format!("postgres://mai:a@{secret}@localhost:1/x"),
        format!("postgres://mai:1/{secret}@localhost:1/x"),
        format!("postgres://mai:{secret}@localhost:1/x?sslmod=require"),
        format!("host=localhost port=1 user=mai password={secret}"),
        format!("host=localhost port=1 pasword={secret}"),
        format!("Host=localhost;Port=1;Password={secret}"),
        format!("host=localhost;password={secret};database=x"),
        format!("jdbc:postgresql://localhost:1/x?password={secret}"),
        format!("postgres//mai:{secret}@localhost"),
    ] {
        let home = Home::at(&text);
        let log = home.dir.path().join("log");
        let done = home
            .command()
            .env("RUST_LOG", "trace")
            .args(["--log", log.to_str().unwrap(), "orders", "search"])
            .output()
            .unwrap();
        let mut left = String::from_utf8_lossy(&done.stderr).into_owned();
        left.push_str(&String::from_utf8_lossy(&done.stdout));
        left.push_str(&std::fs::read_to_string(&log).unwrap_or_default());
        assert!(!left.contains(secret) && !left.is_empty(), "{text}: {left}");
        // In the arguments it is refused, wherever it stands.
        let home = Home::new();
        let forms = [
            vec!["--database-url", &text, "orders", "search"],
            vec!["--database-urll", &text, "orders", "search"],
            vec![text.as_str()],
            vec!["open", &text],
        ];
        for arguments in forms {
            let done = home.run(&arguments);
            assert_eq!(done.code, 2, "{arguments:?}: {done:?}");
            assert!(!done.err.contains(secret) && !done.out.contains(secret), "{done:?}");
        }
    }
    // A file that is malformed around one.
    let home = Home::new();
    let config = home.dir.path().join("config.toml");
    for line in [
        format!("url = postgres://mai:{secret}@localhost"),
        format!("prod = \"postgres://mai:{secret}@localhost\""),
        format!("\"postgres://mai:{secret}@localhost\" = 1"),
    ] {
        std::fs::write(&config, format!("[contexts]\n{line}\n")).unwrap();
        let done = home.run(&["--config", config.to_str().unwrap(), "orders", "search"]);
        assert!(done.code == 2 && !done.err.contains(secret), "{line}: {done:?}");
    }
}
