//! `--zone local`: the zone that `TZ` names, else the machine's.

use chrono::FixedOffset;

use super::Error;
use crate::domain::zone::Zone;

const ADVICE: &str = "set TZ to a name such as Europe/Berlin, or name the zone instead of local";

/// The zone by `TZ` as the C library reads it, where that is set; else the machine's own.
pub(super) fn local(tz: Option<&str>) -> Result<Zone, Error> {
    match tz {
        Some(tz) => named(tz),
        None => match iana_time_zone::get_timezone() {
            Ok(name) => name.parse().map_err(|_| wrong("the machine's time zone", &name)),
            Err(error) => Err(Error::Value {
                what: "the time zone",
                value: "local".to_owned(),
                why: format!("this machine names none ({error}); {ADVICE}"),
            }),
        },
    }
}

/// `Europe/Berlin`, `:Europe/Berlin`, a path into a zone database, `JST-9`; set to nothing it is UTC.
fn named(tz: &str) -> Result<Zone, Error> {
    let name = tz.strip_prefix(':').unwrap_or(tz);
    if name.is_empty() {
        return Ok(Zone::UTC);
    }
    let found = if name.starts_with('/') { of_path(name) } else { of_name(name) };
    found.ok_or_else(|| wrong("TZ", tz))
}

fn of_name(name: &str) -> Option<Zone> {
    name.parse().ok().or_else(|| fixed(name))
}

/// The name of the zone whose file this is. `/etc/localtime` and the like lead to one.
fn of_path(path: &str) -> Option<Zone> {
    let zone = |path: &str| {
        let name = path.split_once("zoneinfo/")?.1;
        let name =
            ["posix/", "right/"].iter().find_map(|dir| name.strip_prefix(dir)).unwrap_or(name);
        name.parse().ok()
    };
    zone(path).or_else(|| zone(std::fs::canonicalize(path).ok()?.to_str()?))
}

/// `JST-9`, `<+0330>-3:30`: an abbreviation and how far UTC is from there. With rules for daylight saving it is
/// none of these.
fn fixed(text: &str) -> Option<Zone> {
    let (abbreviation, offset) = match text.strip_prefix('<') {
        Some(rest) => rest.split_once('>')?,
        None => text.split_at(text.find(|c: char| !c.is_ascii_alphabetic())?),
    };
    if abbreviation.len() < 3 {
        return None;
    }
    let (west, digits) = match offset.strip_prefix('-') {
        Some(digits) => (false, digits),
        None => (true, offset.strip_prefix('+').unwrap_or(offset)),
    };
    let mut seconds = 0;
    let mut unit = 3_600;
    for part in digits.splitn(3, ':') {
        if part.is_empty() || part.len() > 2 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        seconds += unit * part.parse::<i32>().ok()?;
        unit /= 60;
    }
    let zone = if west { FixedOffset::west_opt(seconds) } else { FixedOffset::east_opt(seconds) };
    zone.map(Zone::Fixed)
}

fn wrong(what: &'static str, value: &str) -> Error {
    Error::Value {
        what,
        value: value.to_owned(),
        why: format!("no time zone is called so; {ADVICE}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tz_in_every_form() {
        for (tz, zone) in [
            ("Europe/Berlin", "Europe/Berlin"),
            (":Europe/Berlin", "Europe/Berlin"),
            ("/usr/share/zoneinfo/Asia/Tokyo", "Asia/Tokyo"),
            (":/usr/share/zoneinfo/posix/Asia/Tokyo", "Asia/Tokyo"),
            ("EST5EDT", "EST5EDT"),
            ("UTC0", "+00:00"),
            ("JST-9", "+09:00"),
            ("EST5", "-05:00"),
            ("<+0330>-3:30", "+03:30"),
            ("", "UTC"),
            (":", "UTC"),
        ] {
            assert_eq!(local(Some(tz)).unwrap().to_string(), zone, "{tz}");
        }
    }

    #[test]
    fn a_file_that_leads_to_a_zone_is_that_zone() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("zoneinfo/Asia")).unwrap();
        std::fs::write(dir.path().join("zoneinfo/Asia/Tokyo"), "").unwrap();
        let link = dir.path().join("localtime");
        std::os::unix::fs::symlink(dir.path().join("zoneinfo/Asia/Tokyo"), &link).unwrap();
        assert_eq!(local(link.to_str()).unwrap().to_string(), "Asia/Tokyo");
    }

    #[test]
    fn what_is_no_zone_is_refused_by_its_name() {
        for tz in ["Mars/Olympus", "/nonexistent/file", "CET-1CEST,M3.5.0,M10.5.0/3", "UTC99", "X5"]
        {
            let error = local(Some(tz)).unwrap_err().to_string();
            assert!(error.contains(tz) && error.contains("Europe/Berlin"), "{error}");
        }
    }
}
