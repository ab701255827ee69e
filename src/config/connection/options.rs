//! `options`: settings for the sessions, as on the server's command line.

/// Names and values of `-c NAME=VALUE`, `-cNAME=VALUE` and `--NAME=VALUE`; none if there is anything else.
/// A backslash takes a space or a backslash literally.
pub(super) fn settings(text: &str) -> Option<Vec<(String, String)>> {
    let words = words(text);
    let mut words = words.iter();
    let mut out = Vec::new();
    while let Some(word) = words.next() {
        let setting = if let Some(setting) = word.strip_prefix("--") {
            setting
        } else {
            match word.strip_prefix("-c")? {
                "" => words.next()?,
                setting => setting,
            }
        };
        let (name, value) = setting.split_once('=')?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if name.is_empty() || !name.chars().all(plain) {
            return None;
        }
        // As the server does.
        out.push((name.replace('-', "_"), value.to_owned()));
    }
    Some(out)
}

fn words(text: &str) -> Vec<String> {
    let (mut out, mut word) = (vec![], None::<String>);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_ascii_whitespace() => out.extend(word.take()),
            '\\' => word.get_or_insert_default().extend(chars.next()),
            c => word.get_or_insert_default().push(c),
        }
    }
    out.extend(word);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_the_server_does() {
        let all =
            settings(r"-c geqo=off  -cwork_mem=64MB --lock-timeout=1s -c role=a\ b\\c").unwrap();
        let all: Vec<_> = all.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(
            all,
            [("geqo", "off"), ("work_mem", "64MB"), ("lock_timeout", "1s"), ("role", r"a b\c")]
        );
        assert_eq!(settings(""), Some(vec![]));
        for bad in ["-c", "-c geqo", "-e", "geqo=off", "-c =x", "-d 5"] {
            assert_eq!(settings(bad), None, "{bad}");
        }
    }
}
