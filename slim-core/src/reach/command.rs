//! Command lines: the programs that they start, and those that a started program finds in its arguments (`env`,
//! `timeout`, `su -c`, `find -exec`), by a table of such programs.
//!
//! Nothing is expanded. A word with `$` or a backtick is known only when the line runs, so it is no program's name; it
//! counts as an argument, and inside the line of a shell the words around it are read.

use super::bytes::is_word;
use super::tables::{Runner, Tables};

/// The largest number of programs that are taken from one command line.
const MAX_PROGRAMS: usize = 64;
/// The largest number of lines inside lines, and of bytes of one of them.
const MAX_LINES: usize = 64;
const MAX_LINE: usize = 64 << 10;
/// The largest number of words of one line.
const MAX_WORDS: usize = 10_000;
/// Words before a command that start nothing themselves.
const TRANSPARENT: [&[u8]; 11] = [
    b"!", b"{", b"}", b"do", b"elif", b"else", b"if", b"then", b"until", b"while", b"coproc",
];

/// The programs that the words of one command start: the first, and those in the arguments of one that runs them.
pub(super) fn programs_of_argv<W: AsRef<[u8]>>(argv: &[W]) -> Vec<Vec<u8>> {
    let mut search = Search::default();
    search.add_command(&argv.iter().map(|word| word.as_ref().to_vec()).collect::<Vec<_>>());
    search.run()
}

/// The programs that a line of shell starts, as far as its words show: the first word of each command, and the
/// programs in the arguments of one that runs them.
pub(super) fn programs_of_line(line: &[u8]) -> Vec<Vec<u8>> {
    let mut search = Search::default();
    search.add_line(line);
    search.run()
}

/// The absolute paths that a word of a command names: itself, or those in an option's value (`--data=/srv`,
/// `-Dplugins=/a:/b`).
pub(super) fn absolute_paths(word: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (whole, value) = match word.iter().position(|&b| b == b'=') {
        _ if word.starts_with(b"/") => (Some(word), &b""[..]),
        Some(at) => (None, &word[at + 1..]),
        None => (None, &b""[..]),
    };
    let values = value.split(|&b| b == b':').filter(|path| path.starts_with(b"/"));
    whole.into_iter().chain(values)
}

/// The words of `line` with quotes taken off, as a starter without a shell splits it (supervisord, systemd).
pub(super) fn split_words(line: &[u8]) -> Vec<Vec<u8>> {
    let mut words = Splitter::new(false);
    words.split(&line[..line.len().min(MAX_LINE)]);
    words.commands.into_iter().flatten().collect()
}

/// Programs found so far, and lines that are still to be read.
#[derive(Default)]
struct Search {
    programs: Vec<Vec<u8>>,
    lines: Vec<Vec<u8>>,
    added: usize,
}

impl Search {
    /// Adds a line to be read, within the bounds.
    fn add_line(&mut self, line: &[u8]) {
        if self.added < MAX_LINES && line.len() <= MAX_LINE {
            self.added += 1;
            self.lines.push(line.to_vec());
        }
    }

    /// Returns the programs of all lines, those of lines inside others last.
    fn run(mut self) -> Vec<Vec<u8>> {
        while let Some(line) = self.lines.pop() {
            let mut splitter = Splitter::new(true);
            splitter.split(&line);
            for command in splitter.commands {
                self.add_command(&command);
            }
            for line in splitter.lines {
                self.add_line(&line);
            }
        }
        self.programs
    }

    /// Adds the programs of one command: keywords and assignments, a program, and what it runs.
    fn add_command(&mut self, words: &[Vec<u8>]) {
        let mut words = words;
        loop {
            while let [word, rest @ ..] = words
                && (TRANSPARENT.contains(&word.as_slice()) || is_assignment(word))
            {
                words = rest;
            }
            let [name, rest @ ..] = words else { return };
            if name.is_empty() || self.programs.len() >= MAX_PROGRAMS {
                return;
            }
            let table = &Tables::built_in().runners;
            let base = name.rsplit(|&b| b == b'/').next().unwrap_or_default();
            let base = std::str::from_utf8(base).unwrap_or_default();
            if !is_computed(name) && !table.builtins.iter().any(|builtin| builtin == base) {
                self.programs.push(name.clone());
            }
            let Some(runner) = table.find(base) else { return };
            words = &rest[self.skip_arguments(runner, rest).min(rest.len())..];
        }
    }

    /// Adds the lines among the arguments of `runner`; returns where the program stands that it runs.
    fn skip_arguments(&mut self, runner: &Runner, arguments: &[Vec<u8>]) -> usize {
        let is = |options: &[String], word: &[u8]| options.iter().any(|option| option.as_bytes() == word);
        let mut operands = runner.operands;
        let mut options = true;
        let mut at = 0;
        while let Some(word) = arguments.get(at) {
            let word = word.as_slice();
            at += 1;
            if is(&runner.programs, word) {
                // What follows is a command, and there may be another behind it (`find -exec a ; -exec b`).
                let command = &arguments[at..];
                let end = command
                    .iter()
                    .position(|word| matches!(word.as_slice(), b";" | b"\\;" | b"+"));
                let end = end.unwrap_or(command.len());
                self.add_command(&command[..end]);
                at += end;
                continue;
            }
            if options && word == b"--" {
                options = false;
            } else if let Some(line) = line_option(runner, word) {
                match line {
                    Some(line) => self.add_line(line),
                    None => {
                        if let Some(line) = arguments.get(at) {
                            self.add_line(line);
                        }
                        at += 1;
                    }
                }
            } else if options && is(&runner.values, word) {
                at += 1;
            } else if (options && word.len() > 1 && word.starts_with(b"-")) || is_assignment(word) {
                // An option without a value, or with one in the same word.
            } else if runner.line_operand {
                self.add_line(word);
                return arguments.len();
            } else if operands > 0 {
                operands -= 1;
            } else if is_computed(word) {
                // It may stand for an option, or for none.
            } else if word.contains(&b' ') {
                // One word that is a line: `watch`, `parallel`, `flock … -c`.
                self.add_line(word);
                return arguments.len();
            } else {
                return at - 1;
            }
        }
        arguments.len()
    }
}

/// The line that an option of `runner` gives: in the same word, or in the next one.
fn line_option<'w>(runner: &Runner, word: &'w [u8]) -> Option<Option<&'w [u8]>> {
    runner.lines.iter().find_map(|option| {
        let option = option.as_bytes();
        let rest = word.strip_prefix(option);
        match rest {
            Some([]) => Some(None),
            Some([b'=', line @ ..]) if option.starts_with(b"--") => Some(Some(line)),
            Some(line) if option == b"-S" => Some(Some(line)),
            // `-lc` and `-euxc` are `-c` behind other letters.
            _ if option == b"-c" && word.starts_with(b"-") && !word.starts_with(b"--") => {
                word.ends_with(b"c").then_some(None)
            }
            _ => None,
        }
    })
}

/// Returns whether a word is known only when the line runs.
fn is_computed(word: &[u8]) -> bool {
    word.iter().any(|b| matches!(b, b'$' | b'`'))
}

/// Returns whether a word is `NAME=VALUE`.
fn is_assignment(word: &[u8]) -> bool {
    word.iter()
        .position(|&b| b == b'=')
        .is_some_and(|at| at > 0 && word[..at].iter().all(|&b| is_word(b)))
}

/// A reader of lines as shells split them.
struct Splitter {
    /// True if operators end commands; else all words are one command.
    operators: bool,
    /// The words of each command.
    commands: Vec<Vec<Vec<u8>>>,
    /// Lines inside words (`$(…)`, backticks).
    lines: Vec<Vec<u8>>,
    words: usize,
    /// The word that is being read, if one is.
    word: Option<Vec<u8>>,
    /// True if the next word is the file of a redirection.
    redirected: bool,
}

impl Splitter {
    /// Returns a reader that has read nothing.
    fn new(operators: bool) -> Self {
        Self {
            operators,
            commands: vec![Vec::new()],
            lines: Vec::new(),
            words: 0,
            word: None,
            redirected: false,
        }
    }

    /// Adds a byte to the word.
    fn push(&mut self, byte: u8) {
        self.word.get_or_insert_default().push(byte);
    }

    /// Ends the word, if there is one.
    fn end_word(&mut self) {
        let Some(word) = self.word.take() else { return };
        if std::mem::take(&mut self.redirected) || self.words >= MAX_WORDS {
            return;
        }
        self.words += 1;
        if let Some(command) = self.commands.last_mut() {
            command.push(word);
        }
    }

    /// Reads `line` to its end.
    fn split(&mut self, line: &[u8]) {
        let mut quote = None;
        let mut at = 0;
        while let Some(&byte) = line.get(at) {
            at += 1;
            match (quote, byte) {
                (Some(mark), _) if byte == mark => quote = None,
                (None, b'\'' | b'"') => {
                    quote = Some(byte);
                    self.word.get_or_insert_default();
                }
                (None | Some(b'"'), b'\\') => {
                    if let Some(&next) = line.get(at) {
                        at += 1;
                        if next != b'\n' {
                            self.push(next);
                        }
                    }
                }
                (None | Some(b'"'), b'$') if self.operators && line.get(at) == Some(&b'(') => {
                    let inner = &line[at + 1..];
                    let length = closing(inner);
                    self.lines.push(inner[..length].to_vec());
                    at = (at + 2 + length).min(line.len());
                    self.push(b'$');
                }
                (None | Some(b'"'), b'`') if self.operators => {
                    let inner = &line[at..];
                    let length = inner.iter().position(|&b| b == b'`').unwrap_or(inner.len());
                    self.lines.push(inner[..length].to_vec());
                    at = (at + 1 + length).min(line.len());
                    self.push(b'$');
                }
                (Some(_), _) => self.push(byte),
                (None, b'#') if self.operators && self.word.is_none() => {
                    let rest = &line[at..];
                    at += rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
                }
                (None, b';' | b'|' | b'&' | b'(' | b')' | b'\n') if self.operators => {
                    self.end_word();
                    self.redirected = false;
                    self.commands.push(Vec::new());
                }
                (None, b'<' | b'>') if self.operators => {
                    // A number before it is the descriptor's.
                    if self
                        .word
                        .as_ref()
                        .is_some_and(|word| word.iter().all(u8::is_ascii_digit))
                    {
                        self.word = None;
                    }
                    self.end_word();
                    let more = line[at..].iter().take_while(|b| b"<>&|".contains(b)).count();
                    at += more;
                    self.redirected = true;
                }
                (None, _) if byte.is_ascii_whitespace() => self.end_word(),
                (None, _) => self.push(byte),
            }
        }
        self.end_word();
    }
}

/// The length of `text` up to the parenthesis that closes it, or of all of it.
pub(super) fn closing(text: &[u8]) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' if depth == 0 => return at,
            b')' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_line(line: &str) -> Vec<String> {
        let programs = programs_of_line(line.as_bytes()).into_iter();
        programs
            .map(|program| String::from_utf8(program).unwrap())
            .collect()
    }

    #[test]
    fn programs_behind_those_that_run_them() {
        let cases: &[(&str, &[&str])] = &[
            ("exec gosu app:app server -x", &["gosu", "server"]),
            ("exec gosu \"$USER\" server", &["gosu", "server"]),
            (
                "timeout -k 3 -s TERM 5 xargs -n 1 prog a",
                &["timeout", "xargs", "prog"],
            ),
            (
                "env -u X A=1 nice -n 5 nohup worker",
                &["env", "nice", "nohup", "worker"],
            ),
            ("env -S 'A=1 tool -x'", &["env", "tool"]),
            ("sudo -u app -- A=b tool", &["sudo", "tool"]),
            ("su - app -c 'cd /x && exec tool $OPTS'", &["su", "cd", "tool"]),
            ("su -s /bin/sh app --command=tool", &["su", "tool"]),
            (
                "setpriv --reuid=1 --regid 1 --clear-groups tool",
                &["setpriv", "tool"],
            ),
            ("tini -g -- dumb-init tool", &["tini", "dumb-init", "tool"]),
            ("chroot /srv /bin/tool", &["chroot", "/bin/tool"]),
            (
                "find / -name x -exec rm {} + -o -exec gzip -9 {} \\;",
                &["find", "rm", "gzip"],
            ),
            ("parallel -j 4 convert {} ::: a b", &["parallel", "convert"]),
            ("parallel 'gzip -9 {}' ::: a", &["parallel", "gzip"]),
            ("bash -euxc 'a; b'", &["bash", "a", "b"]),
            ("bash -o pipefail -c 'a | b'", &["bash", "a", "b"]),
            (
                "find . -exec env A=1 tool {} \\; -exec b",
                &["find", "env", "tool", "b"],
            ),
            ("trap 'cleanup now' EXIT", &["cleanup"]),
            (
                "start-stop-daemon --start --exec /usr/sbin/d -- -x",
                &["start-stop-daemon", "/usr/sbin/d"],
            ),
            ("flock /l -c 'a b'", &["flock", "a"]),
            ("flock -w 3 /l a b", &["flock", "a"]),
            ("tool a b", &["tool"]),
            ("exec \"$@\"", &[]),
            ("env", &["env"]),
        ];
        for (line, programs) in cases {
            assert_eq!(of_line(line), *programs, "{line}");
        }
    }

    #[test]
    fn lines_are_split_as_shells_do() {
        assert_eq!(
            of_line("X=$(a \"$(b c)\" d) e 2>/f g > h >&2 && 'i j' # k"),
            ["e", "i j", "a", "b"]
        );
        assert_eq!(of_line("if ! A=1 a; then `b`; fi"), ["a", "fi", "b"]);
        assert_eq!(
            split_words(b"a \"b c\" %(x)s/d e;f"),
            [&b"a"[..], b"b c", b"%(x)s/d", b"e;f"]
        );
        assert_eq!(of_line("'unclosed a("), ["unclosed a("]);
        assert_eq!(of_line("$("), Vec::<String>::new());
    }

    #[test]
    fn bounds() {
        assert!(programs_of_line("a;".repeat(10_000).as_bytes()).len() <= MAX_PROGRAMS);
        assert!(programs_of_line("env ".repeat(10_000).as_bytes()).len() <= MAX_PROGRAMS);
        assert!(programs_of_line("$(a ".repeat(10_000).as_bytes()).len() <= MAX_PROGRAMS);
        assert!(programs_of_line("find -exec ".repeat(5000).as_bytes()).len() <= MAX_PROGRAMS);
        assert!(programs_of_line("sh -c \"".repeat(5000).as_bytes()).len() <= MAX_PROGRAMS);
    }
}
