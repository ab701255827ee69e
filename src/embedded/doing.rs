//! What the console that makes or starts the database is doing, in a file that the ones waiting for it read.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    sync::Mutex,
};

use super::{Progress, Report, layout::Layout};

/// The file; beside the locks, so only its owner's consoles read it.
#[derive(Debug, Clone)]
pub(super) struct Doing(PathBuf);

impl Doing {
    pub fn of(layout: &Layout) -> Self {
        Self(layout.sibling("doing"))
    }

    /// Says it. Nobody depends on it, so a failure is no error.
    pub fn say(&self, text: &str) {
        let fresh = self.0.with_extension("fresh");
        let _ = fs::remove_file(&fresh);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        let _ = written.and_then(|()| fs::rename(&fresh, &self.0));
    }

    /// Says each step that is reported, too.
    pub fn saying<'a>(&self, report: Report<'a>) -> impl Fn(Progress) + Send + Sync + use<'a> {
        let doing = self.clone();
        move |progress| {
            doing.say(&progress.to_string());
            report(progress);
        }
    }

    /// Nothing is being done any more.
    pub fn end(&self) {
        let _ = fs::remove_file(&self.0);
    }

    /// What another console says.
    pub fn read(&self) -> Option<String> {
        fs::read_to_string(&self.0).ok().filter(|text| !text.is_empty())
    }

    /// Reports what the other one is doing while it is waited for, each thing once.
    pub fn waiting(self, report: Report<'_>) -> impl Fn() + Sync + use<'_> {
        let told = Mutex::new(None);
        move || {
            let now = Progress::Waiting { doing: self.read() };
            if let Ok(mut told) = told.lock()
                && told.as_ref() != Some(&now)
            {
                report(now.clone());
                *told = Some(now);
            }
        }
    }
}
