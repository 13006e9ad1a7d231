//! Strict readers of what is rendered: whatever they do not know is a defect of a renderer.

use slim_core::path::RootPath;

/// What an AppArmor profile allows on files: the path of an exact pattern, or the fixed start of a wider one.
#[derive(Debug)]
pub struct FileRule {
    /// The bytes before the first glob.
    pub start: Vec<u8>,
    /// Whether the pattern is a path.
    pub exact: bool,
    /// The permissions.
    pub letters: String,
}

/// The file rules of an AppArmor profile.
///
/// # Panics
///
/// Where a line is none that the renderer writes.
pub fn apparmor(text: &str) -> Vec<FileRule> {
    const RULES: [&str; 8] = [
        "capability ",
        "network ",
        "unix (",
        "signal (",
        "ptrace (",
        "mount",
        "umount",
        "pivot_root",
    ];
    let mut rules = Vec::new();
    let mut lines = text.lines();
    let head = lines
        .by_ref()
        .find(|line| !line.starts_with('#') && !line.starts_with("@{pid}="));
    assert!(
        head.is_some_and(|line| line.starts_with("profile slim-") && line.ends_with(" {")),
        "{head:?}"
    );
    let mut closed = false;
    for line in lines {
        assert!(!closed, "{line:?} after the profile");
        match line.strip_prefix("  ") {
            Some(rule) if rule.starts_with('"') => rules.push(file_rule(rule)),
            Some(rule) => assert!(
                rule.starts_with("# ")
                    || (RULES.iter().any(|start| rule.starts_with(start)) && rule.ends_with(',')),
                "{rule:?}"
            ),
            None => {
                assert_eq!(line, "}");
                closed = true;
            }
        }
    }
    assert!(closed, "the profile has no end");
    rules
}

fn file_rule(rule: &str) -> FileRule {
    let (pattern, letters) = rule[1..].split_once("\" ").expect("a pattern ends in a quote");
    let letters = letters.strip_suffix(',').expect("a rule ends in a comma");
    let known = letters.strip_suffix("ix").unwrap_or(letters);
    assert!(known.chars().all(|c| "mrawkl".contains(c)), "{rule}");
    let mut start = Vec::new();
    let mut exact = true;
    let mut rest = pattern.as_bytes();
    while let Some(&byte) = rest.first() {
        match byte {
            b'\\' => {
                let octal = std::str::from_utf8(&rest[1..4]).expect("three digits");
                start.push(u8::from_str_radix(octal, 8).expect("three octal digits"));
                rest = &rest[4..];
            }
            b'*' | b'[' | b'{' | b'@' => {
                exact = false;
                let globs: [&[u8]; 7] = [
                    b"[0-9]*",
                    b"[0-9a-fA-F]*",
                    b"[0-9a-fA-F]",
                    b"{,**}",
                    b"{,/}",
                    b"@{pid}",
                    b"*",
                ];
                assert!(globs.iter().any(|glob| rest.starts_with(glob)), "{pattern}");
                break;
            }
            byte => {
                assert!(
                    byte.is_ascii_alphanumeric() || b"/._-+=:~%".contains(&byte),
                    "{pattern}"
                );
                start.push(byte);
                rest = &rest[1..];
            }
        }
    }
    FileRule {
        start,
        exact,
        letters: letters.to_owned(),
    }
}

/// An expression of CIL.
#[derive(Debug)]
pub enum Cil {
    /// A symbol.
    Symbol(String),
    /// A list.
    List(Vec<Cil>),
}

/// The expressions of a CIL file.
///
/// # Panics
///
/// Where it is not one.
pub fn cil(text: &str) -> Vec<Cil> {
    let mut stack: Vec<Vec<Cil>> = vec![Vec::new()];
    for line in text.lines() {
        let code = line.split(';').next().unwrap_or_default();
        let code = code.replace('(', " ( ").replace(')', " ) ");
        for token in code.split_ascii_whitespace() {
            match token {
                "(" => stack.push(Vec::new()),
                ")" => {
                    let list = stack.pop().expect("the outermost list stays");
                    stack
                        .last_mut()
                        .expect("a bracket without its opening one")
                        .push(Cil::List(list));
                }
                symbol => {
                    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
                    assert!(symbol.chars().all(plain), "{symbol:?}");
                    stack
                        .last_mut()
                        .expect("a list")
                        .push(Cil::Symbol(symbol.to_owned()));
                }
            }
        }
    }
    assert_eq!(stack.len(), 1, "brackets are left open");
    stack.remove(0)
}

impl Cil {
    /// A list's first symbol.
    pub fn head(&self) -> &str {
        match self {
            Self::List(list) => match list.first() {
                Some(Self::Symbol(symbol)) => symbol,
                _ => panic!("{self:?} has no head"),
            },
            Self::Symbol(symbol) => panic!("{symbol} stands alone"),
        }
    }

    /// What a list holds behind its first symbol.
    pub fn rest(&self) -> &[Self] {
        match self {
            Self::List(list) => &list[1..],
            Self::Symbol(_) => &[],
        }
    }
}

/// The settings of a unit file, in order.
///
/// # Panics
///
/// Where a line is none of a unit file.
pub fn unit(text: &str) -> Vec<(&str, &str)> {
    let mut settings = Vec::new();
    for line in text.lines() {
        let section = ["[Container]", "[Service]", "[Install]"].contains(&line);
        if line.is_empty() || line.starts_with('#') || section {
            continue;
        }
        let (key, value) = line.split_once('=').expect("a setting has a value");
        assert!(key.bytes().all(|b| b.is_ascii_alphabetic()), "{line:?}");
        assert!(!value.ends_with('\\'), "{line:?} goes on");
        settings.push((key, value));
    }
    settings
}

/// The words of a setting, as systemd reads them; `escapes` where it knows those of C, and `$` for variables.
///
/// # Panics
///
/// Where a specifier or a variable would be put in, or a quote is left open.
pub fn words(value: &str, escapes: bool) -> Vec<Vec<u8>> {
    let mut words: Vec<Vec<u8>> = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quoted = false;
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
                continue;
            }
            ' ' if !quoted => {
                words.extend(word.take());
                continue;
            }
            _ => {}
        }
        let mut meant = c;
        match c {
            '\\' => {
                meant = chars.next().expect("something is escaped");
                if meant == 'x' && escapes {
                    let hex: String = chars.by_ref().take(2).collect();
                    let byte = u8::from_str_radix(&hex, 16).expect("two hexadecimal digits");
                    word.get_or_insert_default().push(byte);
                    continue;
                }
                assert!(matches!(meant, '"' | '\\'), "{value:?}");
            }
            '%' => assert_eq!(chars.next(), Some('%'), "a specifier in {value:?}"),
            '$' if escapes => assert_eq!(chars.next(), Some('$'), "a variable in {value:?}"),
            '\'' => assert!(quoted, "{value:?}"),
            _ => {}
        }
        let mut bytes = [0; 4];
        word.get_or_insert_default()
            .extend(meant.encode_utf8(&mut bytes).bytes());
    }
    assert!(!quoted, "{value:?} has an open quote");
    words.extend(word);
    words
}

/// The words of the last command of a shell script, with no quotes but single ones and no expansions but those that the
/// renderer writes.
///
/// # Panics
///
/// Where a word is anything else.
pub fn shell(script: &str) -> Vec<String> {
    let (_, command) = script.split_once("\nexec ").expect("a command is executed");
    let mut words = Vec::new();
    let mut rest = command;
    loop {
        rest = rest.trim_start_matches([' ']);
        if let Some(after) = rest.strip_prefix("\\\n") {
            rest = after;
            continue;
        }
        if rest == "\n" || rest.is_empty() {
            return words;
        }
        let own = [
            "\"${DOCKER:-docker}\"",
            "${apparmor:+--security-opt}",
            "${apparmor:+\"apparmor=$apparmor\"}",
            "\"seccomp=$dir/seccomp.json\"",
            "\"$@\"",
            "\"$image\"",
        ];
        if let Some(known) = own.iter().find(|known| rest.starts_with(**known)) {
            rest = &rest[known.len()..];
            continue;
        }
        let mut word = String::new();
        while let Some(c) = rest.chars().next() {
            if c == '\'' {
                let (inside, after) = rest[1..].split_once('\'').expect("a quote is closed");
                word.push_str(inside);
                rest = after;
            } else if let Some(after) = rest.strip_prefix("\\'") {
                word.push('\'');
                rest = after;
            } else if matches!(c, ' ' | '\n') {
                break;
            } else {
                assert!(
                    c.is_ascii_alphanumeric() || "@%+=:,./_-".contains(c),
                    "{c:?} in {script}"
                );
                word.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
        words.push(word);
    }
}

/// Whether a path may be meant by a rule's fixed start.
pub fn is_of(start: &[u8], paths: &std::collections::BTreeSet<RootPath>) -> bool {
    let trimmed = start
        .strip_suffix(b"/")
        .filter(|rest| !rest.is_empty())
        .unwrap_or(start);
    paths.contains(&RootPath::new(trimmed))
}
