//! Where servers have their Unix sockets.

use std::path::Path;

/// The usual directories: Debian's, macOS's, PostgreSQL's own.
pub(super) const USUAL: [&str; 4] =
    ["/var/run/postgresql", "/run/postgresql", "/private/tmp", "/tmp"];

/// The host where none is named: the first usual directory with a socket of this port, else localhost.
pub(super) fn default_host(port: u16) -> &'static str {
    let socket = format!(".s.PGSQL.{port}");
    USUAL.into_iter().find(|dir| Path::new(dir).join(&socket).exists()).unwrap_or("localhost")
}
