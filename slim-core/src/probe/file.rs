//! The probe file: requests to send, in order, and the expectations of their answers. YAML or JSON:
//!
//! ```yaml
//! - path: /login
//!   method: POST                      # GET by default, POST where there is a body
//!   port: 8080                        # the first HTTP port by default
//!   headers:
//!     authorization: Bearer ${TOKEN}  # from slim's environment, and recorded by name only
//!   json: {user: me}                  # or body: TEXT, or body-file: PATH (from the probe file's directory)
//!   expect:
//!     status: 200                     # or [200, 201]
//!     body-contains: welcome
//!     header: {content-type: text/html}
//! - exec: [psql, -c, "select 1"]        # a command in the container, and its exit code
//!   expect: {exit: 0}
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::path::Path;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::ProbeError;
use super::http::{Answer, is_credential};

/// Files and bodies longer than this many bytes are refused.
const LONGEST: u64 = 64 << 20;
/// More requests than this are refused.
const MOST: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawEntry {
    path: Option<String>,
    exec: Option<Vec<String>>,
    method: Option<String>,
    port: Option<u16>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    json: Option<serde_json::Value>,
    body: Option<String>,
    body_file: Option<String>,
    #[serde(default)]
    expect: Expect,
}

/// The expectations of an answer.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Expect {
    /// One of these; empty for any below 500.
    #[serde(default, deserialize_with = "statuses")]
    pub(super) status: Vec<u16>,
    body_contains: Option<String>,
    /// Values must be equal; one that is null must only be there.
    #[serde(default)]
    header: BTreeMap<String, Option<String>>,
    /// A command's exit code; 0 if not given.
    exit: Option<i64>,
}

/// An entry of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// A request.
    Request(FileRequest),
    /// A command in the container, and the exit code that it must have.
    Command(Vec<String>, i64),
}

impl Entry {
    /// The request, if the entry is one.
    pub(super) fn request(&self) -> Option<&FileRequest> {
        match self {
            Self::Request(request) => Some(request),
            Self::Command(..) => None,
        }
    }
}

/// A request of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileRequest {
    pub(super) port: Option<u16>,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    /// The indices of the headers whose value came from the environment.
    pub(super) secret: Vec<usize>,
    pub(super) body: Option<Vec<u8>>,
    pub(super) expect: Expect,
}

/// Reads a probe file; header values come from this process's environment.
pub(super) fn load(path: &Path) -> Result<Vec<Entry>, ProbeError> {
    let text = read(path).map_err(|message| wrong(path, message))?;
    let text = String::from_utf8(text).map_err(|_| wrong(path, "not UTF-8".into()))?;
    parse(&text, path, &|name| std::env::var(name).ok())
}

/// Parses a probe file's text; `path` is named in errors and is where body files are looked for.
fn parse(
    text: &str,
    path: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Entry>, ProbeError> {
    let json = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let parsed: Result<Vec<RawEntry>, String> = if json {
        serde_json::from_str(text).map_err(|error| error.to_string())
    } else {
        serde_saphyr::from_str(text).map_err(|error| error.to_string())
    };
    let entries = parsed.map_err(|message| {
        let message = message.trim_end();
        wrong(
            path,
            format!("not a list of requests such as \"- path: /login\": {message}"),
        )
    })?;
    if entries.is_empty() || entries.len() > MOST {
        let message = format!("expected a list of 1 to {MOST} requests, found {}", entries.len());
        return Err(wrong(path, message));
    }
    let directory = path.parent().unwrap_or(Path::new(""));
    let read_entry = |(index, mut entry): (usize, RawEntry)| {
        let number = index + 1;
        let (shown, entry) = match (entry.path.take(), entry.exec.take()) {
            (Some(path), None) => (
                format!("request {number} ({})", path.escape_debug()),
                request(path, entry, directory, environment).map(Entry::Request),
            ),
            (None, Some(command)) => (format!("command {number}"), self::command(command, &entry)),
            _ => (
                format!("entry {number}"),
                Err("expected either path, for a request, or exec, for a command in the container".into()),
            ),
        };
        entry.map_err(|message| wrong(path, format!("{shown}: {message}")))
    };
    entries.into_iter().enumerate().map(read_entry).collect()
}

fn command(command: Vec<String>, entry: &RawEntry) -> Result<Entry, String> {
    let request = entry.method.is_some()
        || entry.port.is_some()
        || !entry.headers.is_empty()
        || entry.json.is_some()
        || entry.body.is_some()
        || entry.body_file.is_some();
    let expect = &entry.expect;
    if request || !expect.status.is_empty() || expect.body_contains.is_some() || !expect.header.is_empty() {
        return Err("a command has no parts of a request: only exec, and expect with exit".into());
    }
    if command.first().is_none_or(String::is_empty) {
        return Err("exec is a list of words, the program first: [psql, -c, \"select 1\"]".into());
    }
    Ok(Entry::Command(command, expect.exit.unwrap_or(0)))
}

fn request(
    path: String,
    entry: RawEntry,
    directory: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<FileRequest, String> {
    if entry.expect.exit.is_some() {
        return Err("expect: exit is for a command; a request has a status".into());
    }
    if !path.starts_with('/') || path.chars().any(char::is_control) {
        return Err("path must start with a slash: write /login, the host is the container".into());
    }
    let mut headers = Vec::new();
    let mut secret = Vec::new();
    for (name, value) in entry.headers {
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(token) {
            return Err(format!("{name:?} is not a header's name"));
        }
        let (expanded, from_environment) =
            expand(&value, environment).map_err(|message| format!("header {name}: {message}"))?;
        if expanded.chars().any(|c| c.is_control() && c != '\t') {
            return Err(format!("header {name}: the value has control characters"));
        }
        if from_environment {
            secret.push(headers.len());
        }
        headers.push((name.to_ascii_lowercase(), expanded));
    }
    let (body, kind) = match (entry.json, entry.body, entry.body_file) {
        (None, None, None) => (None, None),
        (Some(json), None, None) => (Some(json.to_string().into_bytes()), Some("application/json")),
        (None, Some(text), None) => (Some(text.into_bytes()), None),
        (None, None, Some(file)) => {
            let file = directory.join(file);
            let bytes = read(&file).map_err(|message| format!("body-file {}: {message}", file.display()))?;
            (Some(bytes), None)
        }
        _ => return Err("json, body and body-file exclude each other".into()),
    };
    if let Some(kind) = kind
        && !headers.iter().any(|(name, _)| name == "content-type")
    {
        headers.push(("content-type".into(), kind.into()));
    }
    if !headers.iter().any(|(name, _)| name == "accept") {
        headers.push(("accept".into(), "*/*".into()));
    }
    let method = match entry.method {
        Some(method) => method,
        None if body.is_some() => "POST".into(),
        None => "GET".into(),
    };
    if method.is_empty() || !method.chars().all(|c| c.is_ascii_uppercase()) {
        return Err(format!(
            "{method:?} is not a method: write GET, POST, PUT, PATCH, DELETE, …"
        ));
    }
    if let Some((name, _)) = entry
        .expect
        .header
        .iter()
        .find(|(name, value)| value.is_some() && is_credential(&name.to_ascii_lowercase()))
    {
        return Err(format!(
            "expect: the value of {name} is a credential, which is not kept: write null to expect that it is there"
        ));
    }
    Ok(FileRequest {
        port: entry.port,
        method,
        path,
        headers,
        secret,
        body,
        expect: entry.expect,
    })
}

/// Replaces each `${NAME}`; `$$` is a dollar sign. Returns the text, and true if a name was replaced.
fn expand(value: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<(String, bool), String> {
    let mut text = String::new();
    let mut found = false;
    let mut rest = value;
    while let Some(at) = rest.find('$') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            text.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            let set = environment(name);
            text.push_str(&set.ok_or_else(|| format!("${{{name}}} is not set in the environment"))?);
            found = true;
            rest = after;
        } else {
            text.push('$');
        }
    }
    text.push_str(rest);
    Ok((text, found))
}

impl Expect {
    /// Returns true if an answer with this status is final, and false if the request is to be sent again.
    pub(super) fn accepts(&self, status: u16) -> bool {
        status < 500 || self.status.contains(&status)
    }

    /// Compares an answer with the expectations.
    ///
    /// # Errors
    /// The first expectation that is not met, and the value that came instead.
    pub(super) fn check(&self, answer: &Answer) -> Result<(), (String, String)> {
        let status = answer.response.status;
        if !self.status.is_empty() && !self.status.contains(&status) {
            let list: Vec<String> = self.status.iter().map(u16::to_string).collect();
            return Err((
                format!("status {}", list.join(" or ")),
                format!("{status} ({})", excerpt(&answer.bytes)),
            ));
        }
        for (name, expected) in &self.header {
            let name = name.to_ascii_lowercase();
            let mut found = answer
                .response
                .headers
                .iter()
                .filter(|header| header.name == name)
                .peekable();
            if found.peek().is_none() {
                return Err((format!("header {name}"), "none".into()));
            }
            if let Some(expected) = expected {
                let values: Vec<String> = found.filter_map(|header| header.value.clone()).collect();
                if !values.contains(expected) {
                    return Err((format!("header {name}: {expected}"), values.join(", ")));
                }
            }
        }
        if let Some(part) = &self.body_contains {
            let text = String::from_utf8_lossy(&answer.bytes);
            if !text.contains(part.as_str()) {
                return Err((format!("a body that contains {part:?}"), excerpt(&answer.bytes)));
            }
        }
        Ok(())
    }
}

/// The beginning of a body, on one line.
fn excerpt(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "an empty body".into();
    }
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(400)]).into_owned();
    let line: Vec<&str> = text
        .split(|c: char| c.is_control() || c == ' ')
        .filter(|word| !word.is_empty())
        .collect();
    let line: String = line.join(" ").chars().take(200).collect();
    format!("{line:?}")
}

/// Reads a file of the user's within its bound.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    // A device has no length, and a file may grow.
    std::fs::File::open(path)
        .and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > LONGEST {
        return Err(format!("larger than {} MiB", LONGEST >> 20));
    }
    Ok(bytes)
}

fn wrong(path: &Path, message: String) -> ProbeError {
    ProbeError::ProbeFile {
        path: path.to_owned(),
        message,
    }
}

/// One status or a list of them.
fn statuses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u16>, D::Error> {
    struct Statuses;
    fn status<E: de::Error>(number: u64) -> Result<u16, E> {
        match u16::try_from(number) {
            Ok(status @ 100..=599) => Ok(status),
            _ => Err(E::custom(format!("{number} is not an HTTP status (100 to 599)"))),
        }
    }
    impl<'de> Visitor<'de> for Statuses {
        type Value = Vec<u16>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an HTTP status or a list of them")
        }
        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Vec<u16>, E> {
            Ok(vec![status(number)?])
        }
        fn visit_i64<E: de::Error>(self, number: i64) -> Result<Vec<u16>, E> {
            self.visit_u64(u64::try_from(number).unwrap_or(0))
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<u16>, A::Error> {
            let mut all = Vec::new();
            while let Some(number) = list.next_element::<u64>()? {
                all.push(status(number)?);
            }
            Ok(all)
        }
    }
    deserializer.deserialize_any(Statuses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::recording::{Body, Header, HttpResponse};

    fn yaml(text: &str) -> Result<Vec<FileRequest>, ProbeError> {
        let environment = |name: &str| (name == "TOKEN").then(|| "hidden".to_owned());
        let entries = parse(text, Path::new("probe.yaml"), &environment)?;
        Ok(entries
            .iter()
            .filter_map(|entry| entry.request().cloned())
            .collect())
    }

    #[test]
    fn a_command_is_an_entry_too() {
        let entries = parse(
            "- exec: [id, -u]\n  expect: {exit: 1}\n- path: /",
            Path::new("probe.yaml"),
            &|_| None,
        )
        .unwrap();
        assert_eq!(entries[0], Entry::Command(vec!["id".into(), "-u".into()], 1));
        assert!(entries[1].request().is_some());
        for wrong in [
            "- exec: []",
            "- exec: [id]\n  path: /",
            "- exec: [id]\n  method: GET",
            "- method: GET",
            "- path: /\n  expect: {exit: 0}",
        ] {
            assert!(
                parse(wrong, Path::new("probe.yaml"), &|_| None).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_whole_file() {
        let asked = yaml(
            "- path: /\n\
             - path: /login?next=%2F\n  port: 8080\n  headers:\n    Authorization: Bearer ${TOKEN}\n    X-Cost: $$5 $\n  json: {b: 1, a: [true]}\n  expect:\n    status: [200, 201]\n    header: {set-cookie: null}\n\
             - path: /text\n  method: PUT\n  body: |\n    hello\n  expect: {status: 204, body-contains: hi}\n",
        )
        .unwrap();
        assert_eq!((asked[0].method.as_str(), asked[0].path.as_str()), ("GET", "/"));
        let login = &asked[1];
        assert_eq!((login.method.as_str(), login.port), ("POST", Some(8080)));
        assert_eq!(
            login.headers,
            [
                ("authorization", "Bearer hidden"),
                ("x-cost", "$5 $"),
                ("content-type", "application/json"),
                ("accept", "*/*"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert_eq!(login.secret, [0]);
        assert_eq!(login.body.as_deref(), Some(&b"{\"b\":1,\"a\":[true]}"[..]));
        assert_eq!(login.expect.status, [200, 201]);
        assert_eq!(asked[2].method, "PUT");
        assert_eq!(asked[2].body.as_deref(), Some(&b"hello\n"[..]));
        let json = r#"[{"path": "/", "expect": {"status": 503}}]"#;
        let asked = parse(json, Path::new("probe.json"), &|_| None).unwrap();
        let expect = &asked[0].request().unwrap().expect;
        assert!(expect.accepts(503) && !expect.accepts(500));
    }

    #[test]
    fn body_files_lie_beside_the_probe_file() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("upload.bin"), b"\x00\xff").unwrap();
        let file = dir.path().join("probe.yaml");
        std::fs::write(&file, "- {path: /up, body-file: upload.bin}").unwrap();
        let asked = load(&file).unwrap();
        assert_eq!(
            asked[0].request().unwrap().body.as_deref(),
            Some(&b"\x00\xff"[..])
        );
    }

    #[test]
    fn a_file_without_an_end_is_refused() {
        let error = load(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(error.to_string(), "/dev/zero: larger than 64 MiB");
    }

    #[test]
    fn errors_say_where_and_what() {
        let errors: Vec<String> = [
            "- path: /\n  methd: GET\n",
            "- path: login\n",
            "- path: /\n  method: get\n",
            "- path: /\n  body: a\n  json: b\n",
            "- path: /a\n- path: /b\n  headers: {authorization: \"${NOT_SET}\"}\n",
            "- path: /\n  expect: {status: 1000}\n",
            "- path: /\n  expect: {header: {set-cookie: a=b}}\n",
            "- path: /\n  body-file: missing\n",
            "[]",
            "path: /\n",
        ]
        .iter()
        .map(|text| yaml(text).unwrap_err().to_string())
        .collect();
        insta::assert_snapshot!(errors.join("\n---\n"));
    }

    #[test]
    fn an_answer_is_checked() {
        let answer = Answer {
            response: HttpResponse {
                status: 200,
                version: "HTTP/1.1".into(),
                headers: vec![Header {
                    name: "content-type".into(),
                    value: Some("text/html".into()),
                }],
                body: Body {
                    digest: Digest::of(b""),
                    size: 0,
                    kept: true,
                },
                complete: true,
            },
            bytes: b"<p>\n  no luck".to_vec(),
        };
        let check = |text: &str| {
            let asked = yaml(&format!("- path: /\n  expect: {text}\n")).unwrap();
            asked[0].expect.check(&answer)
        };
        let wrong = |expected: &str, got: &str| Err((expected.to_owned(), got.to_owned()));
        assert_eq!(
            check("{status: 200, body-contains: luck, header: {Content-Type: text/html}}"),
            Ok(())
        );
        assert_eq!(
            check("{status: [201, 204]}"),
            wrong("status 201 or 204", "200 (\"<p> no luck\")")
        );
        assert_eq!(
            check("{body-contains: won}"),
            wrong("a body that contains \"won\"", "\"<p> no luck\"")
        );
        assert_eq!(
            check("{header: {location: null}}"),
            wrong("header location", "none")
        );
        assert_eq!(
            check("{header: {content-type: text/css}}"),
            wrong("header content-type: text/css", "text/html")
        );
    }
}
