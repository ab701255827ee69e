//! The binary: parse arguments, install hooks, build the runtime, hand over.

use std::process::ExitCode;

use orderscope::cli::{self, args::Cli};

fn main() -> color_eyre::Result<ExitCode> {
    let arguments = Cli::read(std::env::args_os()).unwrap_or_else(|told| told.exit());
    cli::install_hooks()?;
    // The loop stays on this thread: only its panics may touch the terminal.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let code = runtime.block_on(cli::run(arguments))?;
    // A query that still runs has been told to stop; nobody waits for it.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    Ok(ExitCode::from(code))
}
