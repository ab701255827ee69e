//! The log: to a file, never to the screen.

use std::{fs::OpenOptions, path::Path, sync::Mutex};

use tracing_subscriber::EnvFilter;

use crate::files;

/// Writes the log to a file, at the level that `RUST_LOG` sets (default: `info`).
///
/// # Errors
/// When the file cannot be written.
pub fn to_file(path: &Path) -> Result<(), String> {
    let file = files::open(OpenOptions::new().create(true).append(true), path)
        .map_err(|error| format!("cannot write the log {}: {error}", path.display()))?;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(Mutex::new(file))
        .try_init()
        .map_err(|error| error.to_string())
}
