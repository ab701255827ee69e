//! Asking before something is written: a phrase is typed, or the command line has said it.

use std::io::{BufRead, IsTerminal, Write};

use super::{Failure, args::RunArgs, exit};
use crate::ops::operation::{Confirmation, Needed};

/// What a person said to a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    Typed(String),
}

impl Answer {
    /// As operations take it; they check it.
    pub(super) fn confirmation(&self) -> Confirmation<'_> {
        match self {
            Self::Yes => Confirmation::Yes,
            Self::Typed(text) => Confirmation::Typed(text),
        }
    }
}

/// What was said on the command line.
#[derive(Debug, Clone, Copy)]
pub(super) struct GivenAnswer<'a> {
    pub yes: bool,
    pub confirm: Option<&'a str>,
}

impl<'a> From<&'a RunArgs> for GivenAnswer<'a> {
    fn from(run: &'a RunArgs) -> Self {
        Self { yes: run.yes, confirm: run.confirm.as_deref() }
    }
}

/// What was said on the command line, where that is enough; else what is typed now.
///
/// # Errors
/// When nobody can be asked.
pub(super) fn answer(said: GivenAnswer<'_>, needed: &Needed) -> Result<Answer, Failure> {
    if let Some(given) = said.confirm {
        return Ok(Answer::Typed(given.to_owned()));
    }
    if said.yes && !needed.typed {
        return Ok(Answer::Yes);
    }
    let phrase = &needed.phrase;
    let (input, mut out) = (std::io::stdin(), std::io::stderr());
    if !(input.is_terminal() && out.is_terminal()) {
        let option =
            if needed.typed { format!("--confirm '{phrase}'") } else { "--yes".to_owned() };
        let message = format!("nothing was written: there is no terminal to ask at; say {option}");
        return Err(Failure { message, code: exit::REFUSED });
    }
    write!(out, "type {phrase} to run: ")?;
    out.flush()?;
    let mut line = String::new();
    input.lock().read_line(&mut line)?;
    Ok(Answer::Typed(line))
}
