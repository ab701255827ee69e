//! Which server programs run the private database: named, cached, installed, or fetched.

use std::path::{Path, PathBuf};

use super::{
    Progress, Report, account::Account, config::Config, error::Error, npm, packages::NEWEST,
};

/// Versions the product supports.
const MAJORS: std::ops::RangeInclusive<u32> = 15..=18;

/// Server programs that can be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The directory with `postgres` and `initdb`.
    pub dir: PathBuf,
    /// 15 to 18.
    pub major: u32,
    /// As the program reports it, for example `18.4`.
    pub version: String,
}

impl Binaries {
    /// Major and minor version, as numbers.
    fn release(&self) -> (u32, u32) {
        let minor = self.version.split('.').nth(1).and_then(|text| text.parse().ok());
        (self.major, minor.unwrap_or_default())
    }
}

/// What the binaries are needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// A new cluster: the first location that has any.
    New,
    /// A cluster of this major version.
    Major(u32),
    /// The upgrade of a cluster of this major version: the newest of all locations.
    Above(u32),
}

/// Locations, in the order of the search.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Named,
    Cache,
    Installed,
}

impl Need {
    fn meets(self, major: u32) -> bool {
        match self {
            Self::New => true,
            Self::Major(wanted) => major == wanted,
            Self::Above(old) => major > old,
        }
    }
}

/// Finds binaries in the documented order; npm is used only if there is nothing else.
pub(super) async fn find(
    config: &Config,
    account: &Account,
    need: Need,
    report: Report<'_>,
) -> Result<Binaries, Error> {
    report(Progress::Searching);
    let mut searched = Vec::new();
    let mut found = Vec::new();
    if let Some(path) = &config.binaries {
        let named = inspect_named(path, account).await;
        let path = path.clone();
        found.push(named.map_err(|reason| Error::NamedBinaries { path, reason })?);
    }
    for place in [Place::Named, Place::Cache, Place::Installed] {
        let dirs = match place {
            Place::Named => Vec::new(),
            Place::Cache => npm::cached(config),
            Place::Installed => config.installed_dirs(),
        };
        let mut here = inspect_all(dirs, account, &mut searched).await;
        // Older versions were fetched for a cluster that needed them; a new cluster should not use them.
        here.retain(|b| place != Place::Cache || need != Need::New || b.major == NEWEST);
        found.append(&mut here);
        // The first location that has what is needed; only an upgrade compares all locations.
        if let Some(fit) = found.iter().position(|binaries| need.meets(binaries.major))
            && !matches!(need, Need::Above(_))
        {
            return Ok(found.swap_remove(fit));
        }
    }
    found.sort_by_key(|binaries| std::cmp::Reverse(binaries.release()));
    if let Some(fit) = found.iter().position(|binaries| need.meets(binaries.major)) {
        return Ok(found.swap_remove(fit));
    }
    searched.extend(found.iter().map(|b| format!("{} is {}", b.dir.display(), b.version)));
    if found.is_empty() && searched.is_empty() {
        searched.push("none installed or cached".into());
    }
    let major = if let Need::Major(major) = need { major } else { NEWEST };
    match npm::fetch(config, major, report).await? {
        Ok(dir) => match inspect(&dir, account).await {
            Ok(binaries) => return Ok(binaries),
            Err(reason) => searched.push(format!("{}: {reason}", dir.display())),
        },
        Err(reason) => searched.push(reason),
    }
    let searched = searched.join("; ");
    Err(match need {
        Need::New => Error::NoBinaries { searched, advice: advice(None) },
        Need::Major(major) => Error::NoBinariesFor { major, searched, advice: advice(Some(major)) },
        Need::Above(major) => Error::NothingNewer { major, searched, advice: advice(Some(NEWEST)) },
    })
}

async fn inspect_all(
    dirs: Vec<PathBuf>,
    account: &Account,
    searched: &mut Vec<String>,
) -> Vec<Binaries> {
    let mut found = Vec::new();
    for dir in dirs {
        match inspect(&dir, account).await {
            Ok(binaries) => found.push(binaries),
            Err(reason) => searched.push(format!("{}: {reason}", dir.display())),
        }
    }
    // Newest first; equal versions in the order of the locations.
    found.sort_by_key(|binaries| std::cmp::Reverse(binaries.release()));
    found
}

/// The user may name the directory of the programs or its parent.
async fn inspect_named(path: &Path, account: &Account) -> Result<Binaries, String> {
    let path = std::path::absolute(path).map_err(|error| error.to_string())?;
    let dir = if path.join("postgres").exists() { path } else { path.join("bin") };
    inspect(&dir, account).await
}

/// Runs `postgres --version` as the user that will run the server.
async fn inspect(dir: &Path, account: &Account) -> Result<Binaries, String> {
    for program in ["postgres", "initdb"] {
        if !dir.join(program).is_file() {
            return Err(format!("has no {program}"));
        }
    }
    let output = account.command(&dir.join("postgres")).arg("--version").output().await;
    let output = output.map_err(|error| match account.barrier(dir) {
        Some(barrier) => format!("user {} may not enter {}", account.name, barrier.display()),
        None => format!("user {} cannot run it: {error}", account.name),
    })?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("does not run: {}", first_line(&output.stderr)));
    }
    let (major, version) = parse_version(&text).ok_or("does not report its version")?;
    if !MAJORS.contains(&major) {
        return Err(format!("is PostgreSQL {version}, not 15 to 18"));
    }
    Ok(Binaries { dir: dir.to_path_buf(), major, version })
}

fn first_line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).lines().next().unwrap_or_default().to_owned()
}

/// `postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)` is 15 and `15.13`.
fn parse_version(text: &str) -> Option<(u32, String)> {
    let version = text.split("(PostgreSQL)").nth(1)?.split_whitespace().next()?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    Some((digits.parse().ok()?, version.to_owned()))
}

/// What to install on this system.
fn advice(major: Option<u32>) -> String {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let install = install_line(&release, cfg!(target_os = "macos"), major);
    format!(
        "Install it with `{install}`, or install npm so that it can be fetched, or name its \
         programs with ORDERSCOPE_PG_BIN, or use a server of yours with --database-url"
    )
}

fn install_line(os_release: &str, macos: bool, major: Option<u32>) -> String {
    let version = |separator: &str| major.map(|m| format!("{separator}{m}")).unwrap_or_default();
    if macos {
        return format!("brew install postgresql@{}", major.unwrap_or(NEWEST));
    }
    let field = |key: &str| {
        os_release
            .lines()
            .filter_map(|line| line.split_once('='))
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value.trim_matches('"').to_owned())
            .unwrap_or_default()
    };
    let family = format!("{} {}", field("ID"), field("ID_LIKE"));
    let is = |names: &[&str]| family.split_whitespace().any(|id| names.contains(&id));
    if is(&["debian", "ubuntu"]) {
        format!("sudo apt install postgresql{}", version("-"))
    } else if is(&["fedora", "rhel", "centos"]) {
        format!("sudo dnf install postgresql{}-server", version(""))
    } else if is(&["suse", "opensuse"]) {
        format!("sudo zypper install postgresql{}-server", version(""))
    } else if is(&["arch"]) {
        "sudo pacman -S postgresql".into()
    } else if is(&["alpine"]) {
        format!("sudo apk add postgresql{}", major.unwrap_or(*MAJORS.end()))
    } else {
        format!("your package manager: PostgreSQL {}", major.unwrap_or(*MAJORS.end()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_postgres_says_of_itself() {
        let debian = "postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n";
        assert_eq!(parse_version(debian), Some((15, "15.13".into())));
        assert_eq!(parse_version("postgres (PostgreSQL) 18beta1\n"), Some((18, "18beta1".into())));
        assert_eq!(parse_version("sh: not found"), None);
    }

    #[test]
    fn the_install_line_is_the_systems_own() {
        let line = |release, major| install_line(release, false, major);
        assert_eq!(line("ID=ubuntu\nID_LIKE=debian\n", None), "sudo apt install postgresql");
        assert_eq!(line("ID=debian\n", Some(17)), "sudo apt install postgresql-17");
        let rocky = "NAME=\"Rocky\"\nID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n";
        assert_eq!(line(rocky, None), "sudo dnf install postgresql-server");
        assert_eq!(line("", None), "your package manager: PostgreSQL 18");
        assert_eq!(install_line("", true, Some(15)), "brew install postgresql@15");
    }
}
