//! Asking before something is written: a word is typed, or the command line has said it.

use std::io::{BufRead, IsTerminal, Write};

use super::{Failure, exit};
use crate::ops::policy::Policy;

/// What the command line said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    pub yes: bool,
    pub confirm: Option<&'a str>,
}

/// Goes on only if the phrase was typed or given, or `--yes` is enough here.
///
/// `word` is the plan's; the policy may want the context's name with it.
pub(super) fn confirmed(said: Said<'_>, policy: &Policy, word: &str) -> Result<(), Failure> {
    let phrase = policy.phrase(word);
    match said.confirm {
        Some(given) if given.trim() == phrase => return Ok(()),
        Some(given) => {
            return Err(refused(format!(
                "--confirm is {given:?}, not '{phrase}'; nothing was written"
            )));
        }
        None => {}
    }
    if said.yes && !policy.typed {
        return Ok(());
    }
    let option = if policy.typed { format!("--confirm '{phrase}'") } else { "--yes".to_owned() };
    let (input, mut out) = (std::io::stdin(), std::io::stderr());
    if !(input.is_terminal() && out.is_terminal()) {
        return Err(refused(format!(
            "nothing was written: there is no terminal to ask at; say {option}"
        )));
    }
    write!(out, "type {phrase} to run: ")?;
    out.flush()?;
    let mut line = String::new();
    input.lock().read_line(&mut line)?;
    if line.trim() == phrase {
        return Ok(());
    }
    Err(refused("nothing was written".to_owned()))
}

fn refused(message: String) -> Failure {
    Failure { message, code: exit::REFUSED }
}
