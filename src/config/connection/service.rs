//! Service files: named sets of parameters, read as libpq reads them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    parse::{Pairs, known},
    wrong,
};
use crate::config::{Environment, Error};

/// Where distributions have the system's file, unless `PGSYSCONFDIR` says where.
const SYSTEM: [&str; 4] =
    ["/etc/postgresql-common", "/etc/sysconfig/pgsql", "/usr/local/pgsql/etc", "/etc"];

/// The longest line that libpq reads.
const LONGEST: usize = 1_023;

/// Finds a service: in the file that is named, or `~/.pg_service.conf`, then in the system's.
pub(super) fn find(
    service: &str,
    named: Option<&str>,
    environment: &Environment,
) -> Result<(Pairs, PathBuf), Error> {
    let usual = environment.home().map(|home| home.join(".pg_service.conf"));
    let own = named.map(PathBuf::from).or(usual);
    let system = match environment.value("PGSYSCONFDIR") {
        Some(dir) => Some(Path::new(dir).join("pg_service.conf")),
        None => SYSTEM
            .iter()
            .map(|dir| Path::new(dir).join("pg_service.conf"))
            .find(|path| path.is_file()),
    };
    let mut looked = Vec::new();
    for (path, must_exist) in [(own, named.is_some()), (system, false)] {
        let Some(path) = path else { continue };
        let text = match fs::read(&path) {
            Ok(bytes) => {
                String::from_utf8(bytes).map_err(|_| wrong(&shown(&path), "it is not UTF-8"))?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => continue,
            Err(error) => return Err(wrong(&shown(&path), format!("it cannot be read: {error}"))),
        };
        if let Some(pairs) = section(&text, service)
            .map_err(|(line, why)| wrong(&format!("line {line} of {}", shown(&path)), why))?
        {
            return Ok((pairs, path));
        }
        looked.push(shown(&path));
    }
    let looked = if looked.is_empty() {
        "there is no service file".to_owned()
    } else {
        format!("it is not in {}", looked.join(" or "))
    };
    Err(wrong(
        "the service that PGSERVICE or service= names",
        format!("{looked}; name another one, or the file with PGSERVICEFILE"),
    ))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The parameters of one section, if it is there; else the number of the line that is malformed, and why.
fn section(text: &str, service: &str) -> Result<Option<Pairs>, (usize, String)> {
    let mut found: Option<Pairs> = None;
    for (index, line) in text.lines().enumerate() {
        let bad = |why: &str| (index + 1, why.to_owned());
        if line.len() > LONGEST {
            return Err(bad("it is too long"));
        }
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            if found.is_some() {
                return Ok(found);
            }
            let name = name.split_once(']').map_or("", |(name, _)| name);
            found = (name == service).then(Pairs::new);
            continue;
        }
        let Some(pairs) = &mut found else { continue };
        if line.starts_with("ldap://") {
            return Err(bad("a service cannot be looked up in LDAP here"));
        }
        let (name, value) = line.split_once('=').ok_or_else(|| bad("it has no ="))?;
        if matches!(name, "service" | "servicefile") {
            return Err(bad("a service cannot name another one"));
        }
        let keyword = known(name).map_err(|why| bad(&why))?;
        // The first of two holds, as with libpq.
        if !pairs.iter().any(|(other, _)| *other == keyword) {
            pairs.push((keyword, value.to_owned()));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# ours\nhost=nobody reads this\n[other]\nhost=other\n\n  [shop]\nhost=db1,db2\n# no\n\
                        password=a=b #c\nhost=db3\n[shop]\nport=1\n";

    #[test]
    fn a_section_ends_at_the_next_one() {
        let pairs = section(FILE, "shop").unwrap().unwrap();
        assert_eq!(pairs, [("host", "db1,db2".to_owned()), ("password", "a=b #c".to_owned())]);
        assert_eq!(section(FILE, "sho").unwrap(), None);
        assert_eq!(section(FILE, "").unwrap(), None);
    }

    #[test]
    fn what_libpq_refuses_is_refused_with_its_line() {
        for (line, told) in [
            ("host = db", "no such parameter"),
            ("hots=db", "did you mean host?"),
            ("s3cret", "no ="),
            ("service=x", "another"),
            ("ldap://h", "LDAP"),
        ] {
            let (number, why) = section(&format!("[a]\n{line}\n"), "a").unwrap_err();
            assert!(number == 2 && why.contains(told) && !why.contains("s3cret"), "{line}: {why}");
        }
        // Only the section that is wanted is looked at.
        assert!(section("[b]\nnonsense\n[a]\nhost=x\n", "a").unwrap().is_some());
    }
}
