//! TLS as libpq would use it, or more strictly. The driver trusts the system's authorities besides those that are
//! named, so a certificate whose name is not checked proves nothing: verify-ca checks the name too.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::{Values, wrong};
use crate::config::{Environment, Error};

/// Told where a certificate is refused that libpq might take.
const STRICTER: &str = "the name in the certificate is checked too, as with sslmode=verify-full, unless SSL_CERT_FILE \
                        names the same file as sslrootcert";

/// How a server is spoken to by TCP.
pub(super) struct Tls {
    mode: PgSslMode,
    root: Option<PathBuf>,
    /// The client's certificate and its key.
    client: Option<(PathBuf, PathBuf)>,
    /// The name is checked although libpq would not.
    stricter: bool,
}

impl Tls {
    /// For sockets, where there is none.
    pub fn none() -> Self {
        Self { mode: PgSslMode::Disable, root: None, client: None, stricter: false }
    }

    pub fn of(values: &Values, environment: &Environment) -> Result<Self, Error> {
        let given = values.get("sslmode");
        let root = values.get("sslrootcert");
        let mode = match (given, root) {
            (None, Some("system")) => "verify-full",
            (None, _) => "prefer",
            (Some(mode), Some("system")) if mode != "verify-full" => {
                return Err(wrong(
                    &values.origin("sslmode"),
                    "with sslrootcert=system only verify-full proves the server",
                ));
            }
            (Some(mode), _) => mode,
        };
        if mode == "disable" {
            return Ok(Self::none());
        }
        let usual = |name: &str| {
            environment
                .home()
                .map(|home| home.join(".postgresql").join(name))
                .filter(|path| path.is_file())
        };
        let root = match root {
            Some("system") => None,
            Some(path) => Some(PathBuf::from(path)),
            None => usual("root.crt"),
        };
        let verifies = mode.starts_with("verify") || (mode == "require" && root.is_some());
        if let Some(path) = root.as_ref().filter(|_| verifies) {
            readable(path, &values.origin("sslrootcert"))?;
        }
        if verifies && let Some(list) = usual("root.crl") {
            let why = "revocation lists cannot be checked; move it away to connect without that";
            return Err(wrong(&list.display().to_string(), why));
        }
        let alone = root.as_ref().is_some_and(|root| {
            environment.value("SSL_CERT_FILE").is_some_and(|file| Path::new(file) == root)
                && environment.value("SSL_CERT_DIR").is_none()
        });
        let (mode, stricter) = match mode {
            "verify-full" => (PgSslMode::VerifyFull, false),
            _ if verifies && alone => (PgSslMode::VerifyCa, false),
            _ if verifies => (PgSslMode::VerifyFull, true),
            "require" => (PgSslMode::Require, false),
            _ => (PgSslMode::Prefer, false),
        };
        let client = client(values, environment, usual)?;
        Ok(Self { mode, root, client, stricter })
    }

    /// Whether the name in the certificate has to be the host's.
    pub fn verifies(&self) -> bool {
        matches!(self.mode, PgSslMode::VerifyFull)
    }

    /// What to add where a certificate is refused.
    pub fn hint(&self) -> Option<&'static str> {
        self.stricter.then_some(STRICTER)
    }

    pub fn set(&self, options: PgConnectOptions) -> PgConnectOptions {
        let options = options.ssl_mode(self.mode);
        // Without one, that of PGSSLROOTCERT would hold, which may be `system`.
        let options = match &self.root {
            Some(path) => options.ssl_root_cert(path),
            None => options.ssl_root_cert_from_pem(Vec::new()),
        };
        match &self.client {
            Some((certificate, key)) => options.ssl_client_cert(certificate).ssl_client_key(key),
            None => options,
        }
    }
}

/// The client's certificate and key, where there is a certificate.
fn client(
    values: &Values,
    environment: &Environment,
    usual: impl Fn(&str) -> Option<PathBuf>,
) -> Result<Option<(PathBuf, PathBuf)>, Error> {
    let named = values.get("sslcert").map(PathBuf::from);
    let Some(certificate) = named.or_else(|| usual("postgresql.crt")) else {
        if let Some(name) =
            ["PGSSLCERT", "PGSSLKEY"].into_iter().find(|name| environment.set(name).is_some())
        {
            // The driver reads the variables by itself and takes both or none.
            return Err(wrong(
                name,
                "a client's certificate and its key go together; set both or none",
            ));
        }
        return Ok(None);
    };
    readable(&certificate, &values.origin("sslcert"))?;
    let origin = values.origin("sslkey");
    let key = values.get("sslkey").map(PathBuf::from).or_else(|| usual("postgresql.key"));
    let key =
        key.ok_or_else(|| wrong(&origin, "the certificate sslcert has no key; name its file"))?;
    readable(&key, &origin)?;
    let found = fs::metadata(&key).map_err(|error| wrong(&origin, error.to_string()))?;
    // A key of root's may be readable for a group, as with libpq.
    let forbidden = if found.uid() == 0 { 0o037 } else { 0o077 };
    if found.permissions().mode() & forbidden != 0 {
        let why =
            format!("{} may be used by its group or others; run chmod 600 on it", key.display());
        return Err(wrong(&origin, why));
    }
    Ok(Some((certificate, key)))
}

fn readable(path: &Path, origin: &str) -> Result<(), Error> {
    match fs::File::open(path) {
        Ok(_) => Ok(()),
        // The path is not repeated: what stands there may be anything.
        Err(error) => Err(wrong(origin, format!("the file cannot be read: {error}"))),
    }
}
