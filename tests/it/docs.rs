//! The documentation that is made from the program's own tables says what they say, and the commands it
//! shows exist. `UPDATE_DOCS=1` updates the files.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::PathBuf};

use clap::{Command, CommandFactory};
use orderscope::{
    cli::args::Cli,
    config::{ENVIRONMENT, Environment, KEYS, PARAMETERS, Rule, Settings},
    domain::{
        moment::FORMS,
        search::{FIELDS, STATUSES, TRAITS},
    },
    ops::operation::OPERATIONS,
    tui::{
        app::{self, COMMANDS, Scope},
        screens::Screens,
        ui::action::{Keys, shown},
    },
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Compares a block between its marks in a file with what it should be, or writes it.
pub fn golden(file: &str, block: &str, expected: &str) {
    let path = root().join(file);
    let text = fs::read_to_string(&path).unwrap();
    let (start, end) =
        (format!("<!-- {block}: begin, generated -->\n"), format!("<!-- {block}: end -->"));
    let from = text.find(&start).unwrap_or_else(|| panic!("{file}: no {start}")) + start.len();
    let to = from + text[from..].find(&end).unwrap_or_else(|| panic!("{file}: no {end}"));
    if &text[from..to] == expected {
        return;
    }
    let hint = "UPDATE_DOCS=1 cargo test --test it docs:: writes it anew";
    assert!(std::env::var_os("UPDATE_DOCS").is_some(), "{file}, {block} is out of date: {hint}");
    fs::write(&path, format!("{}{expected}{}", &text[..from], &text[to..])).unwrap();
}

/// A text as a cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace('\n', " ")
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

pub fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut out = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        writeln!(out, "| {} |", row.join(" | ")).unwrap();
    }
    out
}

#[test]
fn keys_are_those_of_the_action_table() {
    let mut out = String::new();
    for Scope { title, rows, .. } in app::scopes(&Screens::default(), &Keys::default()) {
        let rows = rows.into_iter().map(|row| {
            let keys: Vec<_> = row.keys.iter().map(|key| code(&shown(key))).collect();
            let cli_equivalent = row.cli_equivalent.map_or_else(String::new, code);
            vec![keys.join(" "), cell(row.help), code(row.name), cli_equivalent]
        });
        let head = ["key", "what it does", "name", "without the console"];
        write!(out, "\n## {title}\n\n{}", table(&head, rows)).unwrap();
    }
    let commands = COMMANDS.iter().map(|command| {
        let usage = format!(":{} {}", command.name, command.argument);
        vec![code(&usage), cell(command.help)]
    });
    let head = ["command", "what it does"];
    write!(out, "\n## Commands, typed after `:`\n\n{}\n", table(&head, commands)).unwrap();
    golden("docs/keys.md", "keys", &out);
}

#[test]
fn operations_are_those_of_the_table() {
    let rows = OPERATIONS.iter().map(|spec| {
        vec![
            code(spec.name),
            cell(spec.title),
            code(spec.verb),
            code(spec.word),
            cell(spec.target.name()),
            cell(spec.risk.name()),
            cell(spec.steps.promise()),
            cell(spec.undo),
        ]
    });
    let head = ["name", "what it does", "verb", "word", "about", "risk", "how it runs", "undo"];
    golden("docs/audit.md", "operations", &table(&head, rows));
    let rows = OPERATIONS.iter().filter(|spec| !spec.rights.is_empty()).map(|spec| {
        let right = |(privileges, on): &(&str, &str)| {
            let names: Vec<_> = on.split(", ").map(code).collect();
            format!("{privileges} on {}", names.join(", "))
        };
        let rights: Vec<_> = spec.rights.iter().map(right).collect();
        vec![code(spec.verb), rights.join("; ")]
    });
    golden("docs/audit.md", "rights", &table(&["verb", "needs"], rows));
}

/// The verbs that do something, with their words: `orders search`.
fn leaves<'a>(command: &'a Command, words: &str, out: &mut Vec<(String, &'a Command)>) {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        let words = format!("{words} {}", below.get_name());
        if below.has_subcommands() {
            leaves(below, &words, out);
        } else {
            out.push((words, below));
        }
    }
}

fn arguments(command: &Command, global: bool) -> Vec<Vec<String>> {
    let wanted = command.get_arguments().filter(|arg| {
        arg.is_global_set() == global && !["help", "version"].contains(&arg.get_id().as_str())
            || (arg.get_id() == "version" && arg.get_action().takes_values())
    });
    wanted
        .map(|arg| {
            let value = arg.get_value_names().and_then(<[_]>::first);
            let value = value.filter(|_| arg.get_action().takes_values());
            let name = match (arg.get_long(), arg.get_short(), value) {
                (None, _, _) => arg.get_id().as_str().to_uppercase(),
                (Some(long), None, None) => format!("--{long}"),
                (Some(long), None, Some(value)) => format!("--{long} {value}"),
                (Some(long), Some(short), None) => format!("-{short}, --{long}"),
                (Some(long), Some(short), Some(value)) => format!("-{short}, --{long} {value}"),
            };
            let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string);
            let mut help = help.unwrap_or_default();
            let values: Vec<_> =
                arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
            if !values.is_empty() && arg.get_action().takes_values() {
                write!(help, ": {}", values.join(", ")).unwrap();
            }
            if let Some(default) = arg.get_default_values().first().filter(|_| value.is_some()) {
                write!(help, " (default: {})", default.to_string_lossy()).unwrap();
            }
            vec![code(&name), cell(&help)]
        })
        .collect()
}

#[test]
fn verbs_are_those_of_the_command_line() {
    let mut command = Cli::command();
    command.build();
    let mut out =
        format!("\n{}\n\n", command.get_after_help().unwrap().to_string().replace('\n', " "));
    out.push_str("## Options that every verb and the console take\n\n");
    out.push_str(&table(&["option", "what it does"], arguments(&command, true)));
    let mut verbs = vec![];
    leaves(&command, "orderscope", &mut verbs);
    assert!(verbs.len() > 10, "the command line lost its verbs");
    for (words, verb) in verbs {
        let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
        write!(out, "\n## {words}\n\n{about}.\n").unwrap();
        let own = arguments(verb, false);
        if !own.is_empty() {
            write!(out, "\n{}", table(&["argument", "what it does"], own)).unwrap();
        }
        if let Some(after) = verb.get_after_help() {
            let after = after.to_string();
            let (title, lines) = after.split_once('\n').unwrap();
            let lines: Vec<_> = lines.lines().map(str::trim).collect();
            write!(out, "\n{title}\n\n```sh\n{}\n```\n", lines.join("\n")).unwrap();
        }
    }
    out.push('\n');
    golden("docs/verbs.md", "verbs", &out);
}

#[test]
fn settings_are_those_of_the_program() {
    let keys = KEYS.iter().map(|key| vec![code(key.name), cell(key.default), cell(key.help)]);
    let mut out = table(&["key", "default", "what it does"], keys);
    out.push_str("\nA file that uses all of them:\n\n```toml\n");
    // Plain keys come first in TOML; those of a context share one table.
    let mut open = "";
    for key in KEYS {
        let table = key.name.rsplit_once('.').map_or("", |(table, _)| table);
        let mut lines = key.example.lines();
        if table == open && !table.is_empty() {
            lines.next();
        }
        for line in lines {
            writeln!(out, "{line}").unwrap();
        }
        open = table;
    }
    out.push_str("```\n");
    golden("docs/configuration.md", "file", &out);
    let file = out.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    toml_is_accepted(file);

    let variables = ENVIRONMENT.iter().map(|row| vec![code(row.name), cell(row.help)]);
    golden(
        "docs/configuration.md",
        "environment",
        &table(&["variable", "what it does"], variables),
    );
    let parameters = PARAMETERS.iter().map(|row| {
        let name = |name: &str| if name.is_empty() { String::new() } else { code(name) };
        let mut help = row.help.to_owned();
        match row.rule {
            Rule::Words(taken, refused) => {
                let taken: Vec<_> = taken.iter().filter(|word| !word.is_empty()).copied().collect();
                write!(help, ": {}", taken.join(", ")).unwrap();
                for (word, why) in refused {
                    write!(help, ". Refused: {word} ({why})").unwrap();
                }
            }
            Rule::Refused(why) | Rule::Ignored(why) => write!(help, ": {why}").unwrap(),
            Rule::Text | Rule::Number(..) => {}
        }
        vec![name(row.keyword), name(row.variable), row.rule.standing().to_owned(), cell(&help)]
    });
    let head = ["parameter", "variable", "stands", "what it does"];
    golden("docs/configuration.md", "connection", &table(&head, parameters));
}

fn toml_is_accepted(text: &str) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    fs::write(&path, text).unwrap();
    Settings::read(Some(path), Environment::default()).unwrap();
}

#[test]
fn every_variable_that_the_sources_read_is_told() {
    let libpq = PARAMETERS.iter().map(|row| row.variable);
    let told: BTreeSet<_> = ENVIRONMENT.iter().map(|row| row.name).chain(libpq).collect();
    let mut open = vec![root().join("src")];
    let mut read = BTreeSet::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for before in ["env::var(\"", "env::var_os(\"", "named(\"", "set(\"", "text(\"", "value(\""]
        {
            read.extend(
                text.split(before).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()),
            );
        }
    }
    // For the tests alone, in debug builds alone.
    read.remove("ORDERSCOPE_PANIC_KEY");
    read.retain(|name| name.len() > 2 && name.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
    assert!(read.contains("DATABASE_URL") && read.contains("NO_COLOR"), "{read:?}");
    let missing: Vec<_> = read.iter().filter(|name| !told.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "not in config::ENVIRONMENT: {missing:?}");
}

#[test]
fn the_search_language_is_the_one_that_is_parsed() {
    let fields = FIELDS.iter().map(|row| {
        let names: Vec<_> = row.names().map(|name| code(&format!("{name}:"))).collect();
        vec![names.join(" or "), cell(row.help), code(row.example)]
    });
    let mut out = table(&["field", "finds", "example"], fields);
    let statuses: Vec<_> = STATUSES.iter().map(|(name, _)| code(name)).collect();
    write!(out, "\nStatuses are {}. ", statuses.join(", ")).unwrap();
    write!(out, "Times are written {FORMS}. `has:` takes:\n\n").unwrap();
    let traits =
        TRAITS.iter().map(|(name, _, help)| vec![code(&format!("has:{name}")), cell(help)]);
    out.push_str(&table(&["term", "finds orders with"], traits));
    golden("docs/search.md", "fields", &out);
}

/// A line of a shell as words: enough of quoting for the commands that the documentation shows.
fn words(line: &str) -> Vec<String> {
    let (mut out, mut word, mut quote, mut any) = (vec![], String::new(), None, false);
    for c in line.chars() {
        match (c, quote) {
            ('#', None) if word.is_empty() && !any => break,
            (' ', None) => {
                if any || !word.is_empty() {
                    out.push(std::mem::take(&mut word));
                }
                any = false;
            }
            ('\'' | '"', None) => (quote, any) = (Some(c), true),
            (c, Some(open)) if c == open => quote = None,
            _ => word.push(c),
        }
    }
    if any || !word.is_empty() {
        out.push(word);
    }
    out
}

#[test]
fn cli_equivalents_are_verbs_with_their_options() {
    let mut command = Cli::command();
    command.build();
    let mut seen = 0;
    let screens = Screens::default();
    let rows = app::scopes(&screens, &Keys::default()).into_iter().flat_map(|scope| scope.rows);
    let equivalents = rows.filter_map(|row| row.cli_equivalent);
    let specs = screens.specs();
    let whole = specs.iter().map(|spec| screens.cli_equivalent(spec.id));
    for cli_equivalent in equivalents.map(str::to_owned).chain(whole) {
        let words = words(&cli_equivalent);
        assert_eq!(words[0], "orderscope", "{cli_equivalent}");
        let mut at = &command;
        let mut rest = words[1..].iter().peekable();
        while let Some(below) = rest.peek().and_then(|word| at.find_subcommand(word)) {
            at = below;
            rest.next();
        }
        assert!(!at.has_subcommands(), "{cli_equivalent}: no such verb");
        for option in rest.filter(|word| word.starts_with("--")) {
            let known = at.get_arguments().any(|arg| arg.get_long() == Some(&option[2..]));
            assert!(known, "{cli_equivalent}: {option}");
        }
        seen += 1;
    }
    assert!(seen >= specs.len());
}

#[test]
fn commands_in_the_documentation_exist() {
    let mut files = vec![root().join("README.md"), root().join("CONTRIBUTING.md")];
    files.extend(fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path()));
    let mut seen = 0;
    for path in files.iter().filter(|path| path.extension().is_some_and(|ext| ext == "md")) {
        let text = fs::read_to_string(path).unwrap();
        for block in text.split("```sh\n").skip(1) {
            for line in block.split("```").next().unwrap().lines() {
                let line = line.split(" | ").flat_map(|part| part.split(" > ")).next().unwrap();
                let mut words = words(line);
                words.retain(|word| {
                    !word.contains('=')
                        || word.starts_with('-')
                        || !word.is_ascii()
                        || !word
                            .chars()
                            .take_while(|c| *c != '=')
                            .all(|c| c.is_ascii_uppercase() || c == '_')
                });
                let program: Vec<&str> = words.iter().map(String::as_str).collect();
                let place = format!("{}: {line}", path.display());
                let arguments: Vec<&str> = match program.as_slice() {
                    ["orderscope", ..] => program,
                    ["cargo", "run", "--release", "--", rest @ ..] => {
                        ["orderscope"].into_iter().chain(rest.iter().copied()).collect()
                    }
                    ["sh" | "bash", script, ..] => {
                        assert!(root().join(script).is_file(), "{place}: no such script");
                        continue;
                    }
                    _ => continue,
                };
                if let Err(error) = Cli::read(arguments.iter().map(std::ffi::OsString::from)) {
                    assert!(!error.use_stderr(), "{place}: {error}");
                }
                seen += 1;
            }
        }
    }
    assert!(seen > 15, "only {seen} commands were found");
}

#[test]
fn links_lead_to_files() {
    let mut files: Vec<_> = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"]
        .iter()
        .map(|name| root().join(name))
        .collect();
    files.extend(fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path()));
    for path in files.iter().filter(|path| path.extension().is_some_and(|ext| ext == "md")) {
        let text = fs::read_to_string(path).unwrap();
        for link in text.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let file = path.parent().unwrap().join(target);
            assert!(file.exists(), "{}: {target} is not there", path.display());
        }
    }
}
