//! `slim.toml`: defaults for flags, below the environment and the command line.
//!
//! Keys are the long flags' names. At the top they hold for every command that has the flag, in a table named after a
//! command for that one alone:
//!
//! ```toml
//! color = "never"
//!
//! [build]
//! port = [8080]
//! http-path = ["/health", "/login"]
//! ```

use std::path::Path;

use anyhow::{Context as _, bail};
use clap::Command;
use toml::{Table, Value};

/// The file's name, looked for in the working directory.
const FILE: &str = "slim.toml";

/// `command` with the defaults that the working directory's `slim.toml` sets, if there is one.
pub(crate) fn apply(command: Command) -> anyhow::Result<Command> {
    let text = match std::fs::read_to_string(Path::new(FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(command),
        Err(error) => return Err(error).context(FILE),
    };
    apply_text(command, &text).context(FILE)
}

fn apply_text(mut command: Command, text: &str) -> anyhow::Result<Command> {
    let table: Table = text.parse().context("not TOML")?;
    let names: Vec<String> = command
        .get_subcommands()
        .filter(|sub| !sub.is_hide_set())
        .map(|sub| sub.get_name().to_owned())
        .collect();
    for (key, value) in &table {
        if let Value::Table(own) = value {
            if !names.contains(key) {
                bail!("[{key}] is no command; the commands are {}", names.join(", "));
            }
            for (flag, value) in own {
                command = set(command, Some(key), flag, value)?;
            }
        } else {
            command = set(command, None, key, value)?;
        }
    }
    Ok(command)
}

/// Sets the default of `flag` for one command, or wherever it exists.
fn set(command: Command, only: Option<&str>, flag: &str, value: &Value) -> anyhow::Result<Command> {
    let values = values(flag, value)?;
    let mut found = false;
    let mut edit = |command: Command| -> Command {
        let id = command
            .get_arguments()
            .find(|arg| arg.get_long() == Some(flag))
            .map(|arg| arg.get_id().clone());
        let Some(id) = id else { return command };
        found = true;
        command.mut_arg(id, |arg| arg.default_values(values.clone()))
    };
    let mut command = if only.is_none() { edit(command) } else { command };
    let names: Vec<String> = command
        .get_subcommands()
        .map(|sub| sub.get_name().to_owned())
        .collect();
    for name in names {
        if only.is_none_or(|only| only == name) {
            command = command.mut_subcommand(name, &mut edit);
        }
    }
    if !found {
        bail!(
            "{flag:?} is no flag of {}",
            only.map_or("any command".to_owned(), |name| format!("slim {name}"))
        );
    }
    Ok(command)
}

fn values(flag: &str, value: &Value) -> anyhow::Result<Vec<String>> {
    Ok(match value {
        Value::String(text) => vec![text.clone()],
        Value::Integer(number) => vec![number.to_string()],
        Value::Boolean(value) => vec![value.to_string()],
        Value::Array(items) => {
            let nested: anyhow::Result<Vec<_>> = items.iter().map(|item| values(flag, item)).collect();
            nested?.concat()
        }
        other => bail!(
            "{flag}: expected a string, a number, true, false or a list, found {}",
            other.type_str()
        ),
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::args::Cli;

    fn matches(toml: &str, line: &[&str]) -> clap::ArgMatches {
        apply_text(Cli::command(), toml)
            .unwrap()
            .try_get_matches_from(line)
            .unwrap()
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        let toml = "[build]\nport = [80, 81]\nread-only = true\n";
        let from_file = matches(toml, &["slim", "build", "nginx"]);
        let build = from_file.subcommand_matches("build").unwrap();
        assert_eq!(
            build
                .get_many::<u16>("port")
                .unwrap()
                .copied()
                .collect::<Vec<_>>(),
            [80, 81]
        );
        assert!(build.get_flag("read_only"));
        let given = matches(toml, &["slim", "build", "nginx", "--port", "90"]);
        let build = given.subcommand_matches("build").unwrap();
        assert_eq!(
            build
                .get_many::<u16>("port")
                .unwrap()
                .copied()
                .collect::<Vec<_>>(),
            [90]
        );
    }

    #[test]
    fn a_key_at_the_top_holds_for_every_command() {
        let toml = "output = \"out\"\n";
        for line in [["slim", "build", "a"], ["slim", "record", "a"]] {
            let matches = matches(toml, &line);
            let sub = matches.subcommand_matches(line[1]).unwrap();
            assert_eq!(
                sub.get_one::<std::path::PathBuf>("output").unwrap(),
                Path::new("out")
            );
        }
    }

    #[test]
    fn unknown_keys_and_kinds_are_named() {
        let error = |toml: &str| format!("{:#}", apply_text(Cli::command(), toml).unwrap_err());
        assert_eq!(error("colour = 'never'"), "\"colour\" is no flag of any command");
        assert_eq!(error("[build]\nports = 1"), "\"ports\" is no flag of slim build");
        assert!(error("[biuld]\nport = 1").starts_with("[biuld] is no command; the commands are build"));
        assert!(error("port = 1.5").contains("found float"));
    }
}
