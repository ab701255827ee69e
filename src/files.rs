//! Files of ours: for their owner alone, and never where a symbolic link points.

use std::{
    fs::{File, OpenOptions, Permissions},
    io::{self, Read},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use rustix::fs::OFlags;

/// Opens as asked. A new file is for its owner alone, and an older one becomes so.
///
/// # Errors
/// As opening does, and where the path is a symbolic link.
pub fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    let file = options.mode(0o600).custom_flags(flags).open(path).map_err(|error| {
        if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
            io::Error::other("it is a symbolic link, which is not followed: name the file itself")
        } else {
            error
        }
    })?;
    let found = file.metadata()?;
    // Devices and pipes are not ours.
    if found.is_file() && found.permissions().mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

/// Makes a file that is not there yet.
///
/// # Errors
/// As making it does, and where something is at the path already.
pub fn create(path: &Path) -> io::Result<File> {
    open(OpenOptions::new().write(true).create_new(true), path)
}

/// A file's text, no longer than `most` bytes: a device has no end.
///
/// # Errors
/// As reading does, and where it is longer.
pub fn text(path: &Path, most: u64) -> io::Result<String> {
    let mut text = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut text)?;
    if text.len() as u64 > most {
        return Err(io::Error::other(format!("it is longer than {} kB", most >> 10)));
    }
    String::from_utf8(text).map_err(|_| io::Error::other("it is no text in UTF-8"))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn a_file_is_for_its_owner_and_a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (new, old, link) =
            (dir.path().join("new"), dir.path().join("old"), dir.path().join("l"));
        fs::write(&old, "kept").unwrap();
        fs::set_permissions(&old, Permissions::from_mode(0o644)).unwrap();
        symlink(&old, &link).unwrap();
        let append = || OpenOptions::new().append(true).create(true).to_owned();
        for path in [&new, &old] {
            open(&mut append(), path).unwrap();
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let told = open(&mut append(), &link).unwrap_err().to_string();
        assert!(told.contains("symbolic link"), "{told}");
        assert!(create(&link).is_err() && create(&old).is_err());
        assert_eq!(fs::read_to_string(&old).unwrap(), "kept");
    }
}
