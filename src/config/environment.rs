//! The environment variables that settings come from, read once and handed in as a value.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use super::Error;

/// Variables by name. What is no variable of ours or of libpq's is left out.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// None where the value is not UTF-8.
    variables: BTreeMap<String, Option<String>>,
}

/// What is read besides libpq's own variables, which begin with `PG`.
const OTHERS: [&str; 6] = [
    "DATABASE_URL",
    "ORDERSCOPE_AMQP_URL",
    "ORDERSCOPE_AMQP_PASSWORD",
    "HOME",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

impl Environment {
    /// This process's environment.
    #[must_use]
    pub fn of_process() -> Self {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            let ours = name.starts_with("PG") || OTHERS.contains(&name.as_str());
            ours.then(|| (name, value.into_string().ok()))
        });
        Self { variables: variables.collect() }
    }

    /// These variables and no others.
    pub fn of<N: Into<String>, V: Into<String>>(
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let variables =
            variables.into_iter().map(|(name, value)| (name.into(), Some(value.into())));
        Self { variables: variables.collect() }
    }

    /// A variable as text, if it is set to something.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.set(name).filter(|value| !value.is_empty())
    }

    /// A variable as text, if it is set at all.
    pub(super) fn set(&self, name: &str) -> Option<&str> {
        self.variables.get(name)?.as_deref()
    }

    /// A variable as text, if it is set to something.
    ///
    /// # Errors
    /// When its value is not UTF-8.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Error> {
        match self.variables.get(name) {
            Some(None) => {
                Err(Error::Connection { place: name.to_owned(), why: "it is not UTF-8".to_owned() })
            }
            _ => Ok(self.value(name)),
        }
    }

    /// A variable whose value is not text.
    pub(super) fn unreadable(&self) -> Option<&str> {
        let bad = self.variables.iter().find(|(_, value)| value.is_none());
        bad.map(|(name, _)| name.as_str())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }

    /// The user's own directory.
    pub(super) fn home(&self) -> Option<PathBuf> {
        self.value("HOME").map(PathBuf::from).or_else(dirs::home_dir)
    }
}

/// Names alone: some values are passwords.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}
