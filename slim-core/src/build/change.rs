//! `--change`: edits of a config in Dockerfile syntax, as `docker commit --change` takes them.
//!
//! Source: Dockerfile reference; moby `builder/dockerfile` for what an instruction does to a config that is there.

use serde_json::{Map, Value, json};

use super::BuildError;
use super::config::object;
use crate::path::RootPath;
use crate::signal;

type Section = Map<String, Value>;

const INSTRUCTIONS: &str =
    "CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, SHELL, STOPSIGNAL, USER, VOLUME, WORKDIR";

/// Applies `changes`, in their order, to the `config` section of a config.
///
/// # Errors
/// One of them is not an instruction that edits a config, or is malformed.
pub(super) fn apply(section: &mut Section, changes: &[String]) -> Result<(), BuildError> {
    let mut cmd_is_set = false;
    for change in changes {
        apply_one(section, change, &mut cmd_is_set).map_err(|reason| BuildError::Change {
            change: change.clone(),
            reason,
        })?;
    }
    Ok(())
}

/// Applies one instruction. `cmd_is_set` is true once a change has set CMD.
fn apply_one(section: &mut Section, change: &str, cmd_is_set: &mut bool) -> Result<(), String> {
    let change = change.trim();
    if change.contains('\n') {
        return Err("it has more than one line; give each instruction its own --change".into());
    }
    let (instruction, argument) = change.split_once(char::is_whitespace).unwrap_or((change, ""));
    let argument = argument.trim();
    let instruction = instruction.to_ascii_uppercase();
    if argument.is_empty() && INSTRUCTIONS.split(", ").any(|known| known == instruction) {
        return Err(format!("{instruction} needs an argument"));
    }
    match instruction.as_str() {
        "CMD" => {
            cmd(section, argument);
            *cmd_is_set = true;
        }
        "ENTRYPOINT" => entrypoint(section, argument, *cmd_is_set),
        "ENV" => env(section, argument)?,
        "LABEL" => label(section, argument)?,
        "EXPOSE" => expose(section, argument)?,
        "VOLUME" => volume(section, argument)?,
        "USER" => user(section, argument)?,
        "WORKDIR" => workdir(section, argument)?,
        "STOPSIGNAL" => stop_signal(section, argument)?,
        "SHELL" => shell(section, argument)?,
        "HEALTHCHECK" => {
            let check = healthcheck(argument)?;
            section.insert("Healthcheck".into(), check);
        }
        "ONBUILD" => on_build(section, argument)?,
        "" => return Err(format!("it is empty; it can be one of {INSTRUCTIONS}")),
        _ => {
            return Err(format!(
                "{instruction} does not edit a config; it can be one of {INSTRUCTIONS}"
            ));
        }
    }
    Ok(())
}

fn cmd(section: &mut Section, argument: &str) {
    let command = command(section, argument);
    section.insert("Cmd".into(), command);
}

/// Sets ENTRYPOINT. The image's own CMD was for the image's own ENTRYPOINT, so it goes unless a change has set it.
fn entrypoint(section: &mut Section, argument: &str, cmd_is_set: bool) {
    let command = command(section, argument);
    section.insert("Entrypoint".into(), command);
    if !cmd_is_set {
        section.remove("Cmd");
    }
}

fn env(section: &mut Section, argument: &str) -> Result<(), String> {
    for (name, value) in pairs(section, argument)? {
        set_variable(section, &name, &value);
    }
    Ok(())
}

fn label(section: &mut Section, argument: &str) -> Result<(), String> {
    for (name, value) in pairs(section, argument)? {
        object(section, "Labels").insert(name, value.into());
    }
    Ok(())
}

fn expose(section: &mut Section, argument: &str) -> Result<(), String> {
    for word in expanded(section, argument)? {
        for port in ports(&word)? {
            object(section, "ExposedPorts").insert(port, json!({}));
        }
    }
    Ok(())
}

fn volume(section: &mut Section, argument: &str) -> Result<(), String> {
    let volumes = match json_list(argument) {
        Some(list) => list
            .iter()
            .map(|word| expand(word, &variables(section)))
            .collect::<Result<_, _>>()?,
        None => expanded(section, argument)?,
    };
    for volume in volumes {
        if volume.is_empty() {
            return Err("a volume needs a path".into());
        }
        object(section, "Volumes").insert(volume, json!({}));
    }
    Ok(())
}

fn user(section: &mut Section, argument: &str) -> Result<(), String> {
    let user = single(section, argument)?;
    section.insert("User".into(), user.into());
    Ok(())
}

/// Sets WORKDIR, relative to the one that is set.
fn workdir(section: &mut Section, argument: &str) -> Result<(), String> {
    let path = single(section, argument)?;
    let current = section.get("WorkingDir").and_then(Value::as_str).unwrap_or("");
    let path = RootPath::new(current).join(&path);
    let path = std::str::from_utf8(path.as_bytes()).map_err(|_| "it is not UTF-8")?;
    section.insert("WorkingDir".into(), path.into());
    Ok(())
}

fn stop_signal(section: &mut Section, argument: &str) -> Result<(), String> {
    let signal = single(section, argument)?;
    check_signal(&signal)?;
    section.insert("StopSignal".into(), signal.into());
    Ok(())
}

fn shell(section: &mut Section, argument: &str) -> Result<(), String> {
    let shell = json_list(argument)
        .filter(|shell| !shell.is_empty())
        .ok_or("SHELL needs the JSON form: SHELL [\"/bin/bash\", \"-c\"]")?;
    section.insert("Shell".into(), shell.into());
    Ok(())
}

/// Adds a trigger to those that are there.
fn on_build(section: &mut Section, argument: &str) -> Result<(), String> {
    let trigger = argument
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_ascii_uppercase();
    if matches!(trigger.as_str(), "ONBUILD" | "FROM" | "MAINTAINER") {
        return Err(format!("{trigger} cannot be an ONBUILD trigger"));
    }
    match section.get_mut("OnBuild").and_then(Value::as_array_mut) {
        Some(triggers) => triggers.push(argument.into()),
        None => drop(section.insert("OnBuild".into(), json!([argument]))),
    }
    Ok(())
}

/// Returns the words of the exec form, or the line of the shell form after the image's shell.
fn command(section: &Section, text: &str) -> Value {
    if let Some(words) = json_list(text) {
        return words.into();
    }
    let shell = section.get("Shell").and_then(Value::as_array);
    let mut words = match shell {
        Some(shell) if !shell.is_empty() => shell.clone(),
        _ => vec!["/bin/sh".into(), "-c".into()],
    };
    words.push(text.into());
    words.into()
}

/// Returns the items of a JSON list. Text that starts like one but is none is the shell form (`[ -e x ] && y`), as for
/// Docker.
fn json_list(text: &str) -> Option<Vec<String>> {
    serde_json::from_str(text).ok()
}

/// Returns the environment of the config.
fn variables(section: &Section) -> Vec<(String, String)> {
    let list = section.get("Env").and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|item| item.as_str()?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Replaces the variable where it is, or adds it at the end.
fn set_variable(section: &mut Section, name: &str, value: &str) {
    let item = Value::from(format!("{name}={value}"));
    let list = section.entry("Env").or_insert(Value::Null);
    if !list.is_array() {
        *list = json!([]);
    }
    let list = list.as_array_mut().expect("it was just made one");
    let same = |item: &Value| {
        let old = item.as_str().unwrap_or_default();
        old.split_once('=').map_or(old, |(old, _)| old) == name
    };
    match list.iter_mut().find(|item| same(item)) {
        Some(old) => *old = item,
        None => list.push(item),
    }
}

/// `NAME=VALUE …`, or the older `NAME VALUE`, where the value is the rest of the line.
fn pairs(section: &Section, text: &str) -> Result<Vec<(String, String)>, String> {
    let env = variables(section);
    let words = split(text)?;
    if !words[0].contains('=') {
        let (name, value) = text
            .split_once(char::is_whitespace)
            .ok_or_else(|| format!("{text:?} has no value: NAME=VALUE"))?;
        return Ok(vec![(expand(name, &env)?, expand(value.trim(), &env)?)]);
    }
    let mut pairs = Vec::new();
    for word in words {
        let (name, value) = word
            .split_once('=')
            .ok_or_else(|| format!("{word:?} is not NAME=VALUE"))?;
        let name = expand(name, &env)?;
        if name.is_empty() {
            return Err(format!("{word:?} has no name before the ="));
        }
        pairs.push((name, expand(value, &env)?));
    }
    Ok(pairs)
}

/// The words of a line, expanded.
fn expanded(section: &Section, text: &str) -> Result<Vec<String>, String> {
    let env = variables(section);
    split(text)?.iter().map(|word| expand(word, &env)).collect()
}

/// The line as one value, expanded.
fn single(section: &Section, text: &str) -> Result<String, String> {
    let value = expand(text, &variables(section))?;
    if value.is_empty() {
        return Err(format!("{text:?} is empty when its variables are expanded"));
    }
    Ok(value)
}

/// Splits at blanks outside quotes; quotes and backslashes stay.
fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, c) if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None | Some('"'), '\\') => {
                word.push(c);
                word.extend(chars.next());
                continue;
            }
            _ => {}
        }
        word.push(c);
    }
    if let Some(open) = quote {
        return Err(format!("a {open} is not closed"));
    }
    if !word.is_empty() {
        words.push(word);
    }
    Ok(words)
}

/// Removes quotes and replaces variables, as a Dockerfile does.
fn expand(text: &str, env: &[(String, String)]) -> Result<String, String> {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::new();
    let mut at = 0;
    let mut quoted = false;
    while let Some(&c) = chars.get(at) {
        at += 1;
        match c {
            '\'' if !quoted => {
                let len = chars[at..]
                    .iter()
                    .position(|&c| c == '\'')
                    .ok_or("a ' is not closed")?;
                out.extend(&chars[at..at + len]);
                at += len + 1;
            }
            '"' => quoted = !quoted,
            '\\' => match chars.get(at) {
                Some(&next) if !quoted || matches!(next, '"' | '$' | '\\') => {
                    out.push(next);
                    at += 1;
                }
                _ => out.push('\\'),
            },
            '$' => at = variable(&chars, at, env, &mut out)?,
            c => out.push(c),
        }
    }
    if quoted {
        return Err("a \" is not closed".into());
    }
    Ok(out)
}

/// Expands the variable whose name starts at `at`, and returns where the text goes on.
fn variable(chars: &[char], at: usize, env: &[(String, String)], out: &mut String) -> Result<usize, String> {
    let name_at = |from: usize| {
        let rest = chars[from..].iter();
        let len = rest
            .take_while(|c| c.is_ascii_alphanumeric() || **c == '_')
            .count();
        let starts_well = chars.get(from).is_some_and(|c| !c.is_ascii_digit());
        if starts_well { len } else { 0 }
    };
    let lookup = |name: &str| {
        env.iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    };
    if chars.get(at) != Some(&'{') {
        let len = name_at(at);
        if len == 0 {
            out.push('$');
        } else {
            let name: String = chars[at..at + len].iter().collect();
            out.push_str(lookup(&name).unwrap_or(""));
        }
        return Ok(at + len);
    }
    let start = at + 1;
    let len = name_at(start);
    let close = chars[start..]
        .iter()
        .position(|&c| c == '}')
        .ok_or("a ${ is not closed")?;
    let name: String = chars[start..start + len].iter().collect();
    let rest: String = chars[start + len..start + close].iter().collect();
    let value = lookup(&name).unwrap_or("");
    let is_set = !value.is_empty();
    if len == 0 {
        return Err("a ${ without a name".into());
    }
    match rest.get(..2) {
        _ if rest.is_empty() => out.push_str(value),
        Some(":-") => out.push_str(if is_set { value } else { &rest[2..] }),
        Some(":+") => out.push_str(if is_set { &rest[2..] } else { "" }),
        _ => {
            return Err(format!(
                "${{{name}{rest}}} is not understood; ${{NAME}}, ${{NAME:-default}} and ${{NAME:+other}} are"
            ));
        }
    }
    Ok(start + close + 1)
}

/// `80`, `80/udp`, `8000-8010/tcp`.
fn ports(word: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("{word:?} is not PORT, PORT/PROTOCOL or a range of ports");
    let (range, protocol) = word.split_once('/').unwrap_or((word, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(wrong());
    }
    let (low, high) = range.split_once('-').unwrap_or((range, range));
    let port = |text: &str| {
        text.parse::<u16>()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(wrong)
    };
    let (low, high) = (port(low)?, port(high)?);
    if low > high {
        return Err(wrong());
    }
    Ok((low..=high).map(|port| format!("{port}/{protocol}")).collect())
}

fn check_signal(text: &str) -> Result<(), String> {
    let number = signal::number(text);
    number
        .map(drop)
        .ok_or_else(|| format!("{text:?} is not a signal"))
}

/// `[--interval=…] CMD …`, or `NONE`.
fn healthcheck(text: &str) -> Result<Value, String> {
    let mut check = Map::new();
    let mut rest = text;
    while rest.starts_with("--") {
        let (flag, tail) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        rest = tail.trim_start();
        let (name, value) = flag
            .split_once('=')
            .ok_or_else(|| format!("{flag:?} has no value: {flag}=…"))?;
        let key = match name {
            "--interval" => "Interval",
            "--timeout" => "Timeout",
            "--start-period" => "StartPeriod",
            "--start-interval" => "StartInterval",
            "--retries" => {
                let retries: u32 = value
                    .parse()
                    .map_err(|_| format!("{flag:?}: {value:?} is not a number"))?;
                check.insert("Retries".into(), retries.into());
                continue;
            }
            _ => return Err(format!("{name} is no flag of HEALTHCHECK")),
        };
        let nanoseconds =
            duration(value).ok_or_else(|| format!("{flag:?}: {value:?} is not a duration (30s, 1m30s)"))?;
        if (1..1_000_000).contains(&nanoseconds) {
            return Err(format!("{flag:?}: at least 1ms"));
        }
        check.insert(key.into(), nanoseconds.into());
    }
    let (kind, command) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let command = command.trim();
    let test: Vec<String> = match kind.to_ascii_uppercase().as_str() {
        "NONE" if command.is_empty() && check.is_empty() => vec!["NONE".into()],
        "CMD" if !command.is_empty() => match json_list(command) {
            Some(words) => ["CMD".to_owned()].into_iter().chain(words).collect(),
            None => vec!["CMD-SHELL".into(), command.into()],
        },
        _ => return Err("HEALTHCHECK needs CMD and a command, or NONE alone".into()),
    };
    check.insert("Test".into(), test.into());
    Ok(check.into())
}

/// A duration as Go writes it (`1m30s`, `1.5s`), in nanoseconds.
fn duration(text: &str) -> Option<u64> {
    if text == "0" {
        return Some(0);
    }
    let mut rest = text;
    let mut sum = 0.0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .filter(|n| *n > 0)?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        let scale = match &rest[..unit] {
            "ns" => 1.0,
            "us" | "µs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return None,
        };
        sum += number * scale;
        rest = &rest[unit..];
    }
    // Past 2^63 nanoseconds (292 years) Go has no duration.
    (!text.is_empty() && sum < 9.2e18).then_some(sum as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(config: Value, changes: &[&str]) -> Result<Value, String> {
        let Value::Object(mut section) = config else {
            panic!("a config section is an object")
        };
        let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
        apply(&mut section, &changes).map_err(|error| error.to_string())?;
        Ok(section.into())
    }

    #[test]
    fn commands_take_both_forms() {
        let config = json!({"Cmd": ["old"], "Entrypoint": ["old"]});
        assert_eq!(
            after(config.clone(), &["CMD [\"a b\", \"c\"]"]).unwrap(),
            json!({"Cmd": ["a b", "c"], "Entrypoint": ["old"]})
        );
        assert_eq!(
            after(config.clone(), &["cmd echo $HOME"]).unwrap(),
            json!({"Cmd": ["/bin/sh", "-c", "echo $HOME"], "Entrypoint": ["old"]})
        );
        assert_eq!(
            after(config.clone(), &["ENTRYPOINT [\"new\"]"]).unwrap(),
            json!({"Entrypoint": ["new"]})
        );
        assert_eq!(
            after(config.clone(), &["CMD [\"x\"]", "ENTRYPOINT []"]).unwrap(),
            json!({"Cmd": ["x"], "Entrypoint": []})
        );
        assert_eq!(
            after(config, &["SHELL [\"/bin/bash\", \"-ec\"]", "CMD [ -e x ] && y"]).unwrap()["Cmd"],
            json!(["/bin/bash", "-ec", "[ -e x ] && y"])
        );
    }

    #[test]
    fn variables_are_set_quoted_and_expanded() {
        let config = json!({"Env": ["PATH=/bin", "A=1"]});
        let changes = [
            r#"ENV PATH=/opt:$PATH B="two  words" C=three\ words D='$A'"#,
            r#"ENV E ${A} and ${NONE:-default}${A:+!} "q""#,
            r#"ENV F="\$A \"x\" \n" A="#,
        ];
        assert_eq!(
            after(config, &changes).unwrap()["Env"],
            json!([
                "PATH=/opt:/bin",
                "A=",
                "B=two  words",
                "C=three words",
                "D=$A",
                "E=1 and default! q",
                "F=$A \"x\" \\n",
            ])
        );
    }

    #[test]
    fn the_others_edit_their_own_field() {
        let config = json!({"WorkingDir": "/srv", "OnBuild": ["RUN a"], "Labels": null});
        let changes = [
            "EXPOSE 80 53/UDP 8000-8002",
            r#"LABEL a.b="x y" "c d"=e"#,
            "USER app:app",
            "WORKDIR data/../x",
            r#"VOLUME ["/a b"]"#,
            "VOLUME /c /d",
            "STOPSIGNAL SIGQUIT",
            "ONBUILD RUN b",
            "HEALTHCHECK --interval=1m30s --retries=2 CMD curl -f http://localhost/",
        ];
        assert_eq!(
            after(config, &changes).unwrap(),
            json!({
                "WorkingDir": "/srv/x",
                "OnBuild": ["RUN a", "RUN b"],
                "Labels": {"a.b": "x y", "c d": "e"},
                "ExposedPorts": {"80/tcp": {}, "53/udp": {}, "8000/tcp": {}, "8001/tcp": {}, "8002/tcp": {}},
                "User": "app:app",
                "Volumes": {"/a b": {}, "/c": {}, "/d": {}},
                "StopSignal": "SIGQUIT",
                "Healthcheck": {
                    "Interval": 90_000_000_000_u64,
                    "Retries": 2,
                    "Test": ["CMD-SHELL", "curl -f http://localhost/"],
                },
            })
        );
    }

    #[test]
    fn errors_say_which_and_why() {
        for (change, reason) in [
            ("", "it is empty"),
            ("RUN x", "RUN does not edit a config"),
            ("CMD", "CMD needs an argument"),
            ("ENV A", "has no value"),
            ("ENV A=\"x", "a \" is not closed"),
            ("ENV A=${B", "a ${ is not closed"),
            ("ENV A=${B/x/y}", "is not understood"),
            ("ENV =x", "has no name"),
            ("EXPOSE 80:80", "is not PORT"),
            ("EXPOSE 0", "is not PORT"),
            ("EXPOSE 9-8", "is not PORT"),
            ("USER $NONE", "is empty when"),
            ("STOPSIGNAL SIGNOTHING", "is not a signal"),
            ("SHELL /bin/sh", "needs the JSON form"),
            ("HEALTHCHECK --interval=1 CMD x", "is not a duration"),
            ("HEALTHCHECK", "HEALTHCHECK needs an argument"),
            ("ONBUILD FROM x", "cannot be an ONBUILD trigger"),
            ("CMD a\nUSER b", "more than one line"),
        ] {
            let error = after(json!({}), &[change]).unwrap_err();
            assert!(
                error.contains(reason) && error.contains(&format!("{change:?}")),
                "{change:?}: {error}"
            );
        }
    }

    #[test]
    fn signals_have_several_names() {
        for good in ["9", "KILL", "SIGTERM", "sigquit", "RTMIN+3", "SIGRTMAX-1"] {
            assert!(check_signal(good).is_ok(), "{good}");
        }
        for bad in ["0", "65", "RTMIN*3", "", "SIG"] {
            assert!(check_signal(bad).is_err(), "{bad}");
        }
    }
}
