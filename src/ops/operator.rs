//! Who works here: what audit records and event headers name.

use std::{fs, process::Command};

use rustix::{process::geteuid, system::uname};

/// The longest name that is recorded, in characters.
const LONGEST: usize = 64;

/// An operator: the person, the machine, and the database role they act as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The operating system's user, or what `--operator` says.
    pub name: String,
    pub host: String,
    /// The role of the database session.
    pub role: String,
}

/// A name that cannot go on record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "an operator's name is 1 to {LONGEST} characters that can be seen, not {0:?}; give another one \
     with --operator"
)]
pub struct Unnameable(pub String);

impl Operator {
    /// The operator on this machine: the name given, or the operating system's user.
    pub fn new(given: Option<&str>, role: &str) -> Result<Self, Unnameable> {
        let name = match given {
            Some(name) => name.trim().to_owned(),
            None => system_user(),
        };
        let seen = name.chars().all(|c| crate::domain::text::is_plain(c) && c != '\n');
        if name.is_empty() || name.chars().count() > LONGEST || !seen {
            return Err(Unnameable(name));
        }
        let host = uname().nodename().to_string_lossy().into_owned();
        Ok(Self { name, host, role: role.to_owned() })
    }
}

/// The user this program runs as. Not from the environment, which anyone may set.
fn system_user() -> String {
    let uid = geteuid().as_raw();
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    // Users of a directory service are not in the file; `id` knows them.
    listed(&passwd, uid).or_else(asked).unwrap_or_else(|| format!("uid {uid}"))
}

fn listed(passwd: &str, uid: u32) -> Option<String> {
    let uid = uid.to_string();
    let line = passwd.lines().find(|line| line.split(':').nth(2) == Some(&uid))?;
    line.split(':').next().filter(|name| !name.is_empty()).map(ToOwned::to_owned)
}

fn asked() -> Option<String> {
    let answer = Command::new("id").arg("-un").output().ok().filter(|out| out.status.success())?;
    let name = String::from_utf8(answer.stdout).ok()?.trim().to_owned();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_is_found_by_number() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nmai:x:1000:1000::/home/mai:/bin/sh\nodd\n";
        assert_eq!(listed(passwd, 1_000).as_deref(), Some("mai"));
        assert_eq!(listed(passwd, 7), None);
    }

    #[test]
    fn a_given_name_is_taken_and_checked() {
        let operator = Operator::new(Some(" mai "), "support").unwrap();
        assert_eq!((operator.name.as_str(), operator.role.as_str()), ("mai", "support"));
        assert!(!operator.host.is_empty());
        for name in ["", "  ", "a\u{1b}[2Jb", "a\u{202e}b", "a\nb", &"x".repeat(65)] {
            assert!(Operator::new(Some(name), "r").is_err(), "{name:?}");
        }
        assert!(!Operator::new(None, "r").unwrap().name.is_empty());
    }
}
