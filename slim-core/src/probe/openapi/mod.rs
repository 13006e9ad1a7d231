//! Requests from an OpenAPI 3 or Swagger 2 description: every operation once, with values from its examples, defaults and
//! enumerations, else made up from its schemas.
//!
//! A description is as hostile as anything else that an app serves: references are followed within the document only,
//! their cycles are cut, and a request has a bounded number of values and bytes.

mod encode;
mod sample;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::fmt::Write as _;

use reqwest::Url;
use serde_json::{Map, Value};
use url::Position;

use encode::{FormEncoding, FormField, encode, encode_form, join, printable, text};
use sample::named_value;

/// Number of operations that are requested at most.
const OPERATIONS: usize = 2000;
/// Number of parameters of an operation that are read.
const PARAMETERS: usize = 200;
/// Number of values that are made up for one request at most.
const VALUES: usize = 5000;
/// Number of references to references that are followed.
const REFERENCES: usize = 32;
/// Length of a request's path and query at most.
const PATH_BYTES: usize = 8 << 10;
/// Number of bytes of values in one request at most.
const REQUEST_BYTES: usize = 4 << 20;
/// Number of bytes of all requests at most.
const ALL_BYTES: usize = 64 << 20;

/// The methods in the order of sending: those that read first, those that delete last.
const METHODS: [&str; 7] = ["get", "head", "options", "post", "put", "patch", "delete"];

/// One operation's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Operation {
    /// The operation's id, or its method and path template.
    pub(super) name: String,
    /// The method, in upper case.
    pub(super) method: String,
    /// Path and query; starts with `/`.
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<Vec<u8>>,
}

impl Operation {
    /// Number of bytes that the request takes.
    fn size(&self) -> usize {
        let headers = self.headers.iter();
        let headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
        self.name.len() + self.path.len() + headers + self.body.as_ref().map_or(0, Vec::len)
    }
}

/// The requests of a description.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Walk {
    /// The requests, in the order of sending.
    pub(super) operations: Vec<Operation>,
    /// The parts that were left out and why, a sentence each.
    pub(super) notes: Vec<String>,
}

/// Walks a description in JSON or YAML. `served_at` is its own path on the app; `/` for a file.
pub(super) fn walk(text: &str, served_at: &str) -> Result<Walk, String> {
    let document: Value = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?
    } else {
        serde_saphyr::from_str(text).map_err(|error| format!("not YAML: {error}"))?
    };
    let version = |name: &str| document.get(name).map(|value| value.to_string().replace('"', ""));
    let swagger = match (version("openapi"), version("swagger")) {
        (Some(version), _) if version.starts_with("3.") => false,
        (_, Some(version)) if version.starts_with("2.") => true,
        (Some(version), _) | (None, Some(version)) => {
            return Err(format!(
                "version {version} is not known: OpenAPI 3 and Swagger 2 are"
            ));
        }
        (None, None) => return Err("neither an \"openapi\" nor a \"swagger\" version at its top".into()),
    };
    let walker = Walker {
        document: &document,
        swagger,
        outside: Cell::new(0),
        values_left: Cell::new(0),
        bytes_left: Cell::new(0),
    };
    Ok(walker.walk(served_at))
}

struct Walker<'a> {
    document: &'a Value,
    swagger: bool,
    /// Number of references that led out of the document.
    outside: Cell<usize>,
    /// Number of values that may still be made up for the current request.
    values_left: Cell<usize>,
    /// Number of bytes that the values of the current request may still have.
    bytes_left: Cell<usize>,
}

impl<'a> Walker<'a> {
    fn walk(&self, served_at: &str) -> Walk {
        let mut walk = Walk::default();
        let base = self.base(served_at);
        let empty = Map::new();
        let paths = self
            .document
            .get("paths")
            .and_then(Value::as_object)
            .unwrap_or(&empty);
        let mut left_out = 0;
        let mut too_large = 0;
        let mut bytes = 0;
        for method in METHODS {
            for (template, item) in paths {
                let item = self.resolve(item);
                let Some(operation) = item.get(method) else {
                    continue;
                };
                if walk.operations.len() >= OPERATIONS {
                    left_out += 1;
                    continue;
                }
                let request = self.operation(&base, method, template, item, operation);
                match request.filter(|request| bytes + request.size() <= ALL_BYTES) {
                    Some(request) => {
                        bytes += request.size();
                        walk.operations.push(request);
                    }
                    None => too_large += 1,
                }
            }
        }
        if left_out > 0 {
            let note = format!(
                "the API description has more than {OPERATIONS} operations: {left_out} were not asked"
            );
            walk.notes.push(note);
        }
        if too_large > 0 {
            walk.notes.push(format!(
                "{too_large} operations of the API description were left out: their requests are too large"
            ));
        }
        if walk.operations.is_empty() {
            walk.notes.push("the API description has no operations".into());
        }
        if self.outside.get() > 0 {
            walk.notes.push(format!(
                "references of the API description that lead nowhere within it, and were left out: {}",
                self.outside.get()
            ));
        }
        walk
    }

    /// Returns the prefix of all paths, without a slash at its end. The host that a server names is ignored.
    fn base(&self, served_at: &str) -> String {
        let url = if self.swagger {
            self.document
                .get("basePath")
                .and_then(Value::as_str)
                .unwrap_or("/")
                .to_owned()
        } else {
            let server = self.document.pointer("/servers/0");
            let template = server
                .and_then(|server| server.get("url"))
                .and_then(Value::as_str);
            let variables = server.and_then(|server| server.get("variables"));
            let default = |name: &str| {
                let variable = variables?.get(name)?;
                Some(variable.get("default").map(text).unwrap_or_default())
            };
            substitute(template.unwrap_or("/"), default).unwrap_or_default()
        };
        let page = Url::parse(&format!("http://localhost{served_at}"));
        let path = page
            .and_then(|page| page.join(&url))
            .map(|url| url[Position::BeforePath..Position::AfterPath].to_owned());
        path.unwrap_or_default().trim_end_matches('/').to_owned()
    }

    /// Follows `$ref`s within the document.
    fn resolve(&self, value: &'a Value) -> &'a Value {
        let mut value = value;
        for _ in 0..REFERENCES {
            let Some(reference) = value.get("$ref").and_then(Value::as_str) else {
                return value;
            };
            let found = reference
                .strip_prefix('#')
                .and_then(|pointer| self.document.pointer(pointer));
            match found {
                Some(found) => value = found,
                None => {
                    self.outside.set(self.outside.get() + 1);
                    return &Value::Null;
                }
            }
        }
        &Value::Null
    }

    fn operation(
        &self,
        base: &str,
        method: &str,
        template: &str,
        item: &'a Value,
        operation: &'a Value,
    ) -> Option<Operation> {
        self.values_left.set(VALUES);
        self.bytes_left.set(REQUEST_BYTES);
        let mut segments: Map<String, Value> = Map::new();
        let mut query: Vec<String> = Vec::new();
        let mut headers: Vec<(String, String)> = Vec::new();
        let mut cookies: Vec<String> = Vec::new();
        let mut form: Vec<FormField> = Vec::new();
        let mut body: Option<(String, Vec<u8>)> = None;
        for parameter in self.parameters(item, operation) {
            let field = |name: &str| parameter.get(name).and_then(Value::as_str).unwrap_or_default();
            let (name, place) = (field("name"), field("in"));
            let required = parameter.get("required").and_then(Value::as_bool) == Some(true);
            let described = self.parameter(parameter);
            // An optional one is sent where the description names a value.
            let sent = required || described.is_some();
            let value = || described.unwrap_or_else(|| self.sample(self.schema_of(parameter)));
            match place {
                "path" => {
                    let text = join(&value(), ",");
                    // Neither an empty segment nor one that the URL's rules would take away.
                    let text = if matches!(text.as_str(), "" | "." | "..") {
                        "x".into()
                    } else {
                        text
                    };
                    segments.insert(name.to_owned(), encode(&text).into());
                }
                "query" if sent => query.extend(self.in_query(name, &value(), parameter)),
                "header" if sent => {
                    // These are set by slim, or are the user's to give.
                    let reserved = ["accept", "content-type", "authorization"];
                    let lower = name.to_ascii_lowercase();
                    if !reserved.contains(&lower.as_str()) {
                        headers.push((lower, printable(&join(&value(), ","))));
                    }
                }
                "cookie" if sent => {
                    cookies.push(format!("{}={}", encode(name), encode(&join(&value(), ","))));
                }
                "body" => body = Some(("application/json".into(), value().to_string().into_bytes())),
                "formData" => {
                    form.push(FormField {
                        name: name.to_owned(),
                        is_file: field("type") == "file",
                        value: value(),
                    });
                }
                _ => {}
            }
        }
        if let Some(content) = operation.get("requestBody").map(|body| self.resolve(body)) {
            body = self.request_body(content);
        } else if !form.is_empty() {
            let consumes = operation
                .get("consumes")
                .or_else(|| self.document.get("consumes"));
            let multipart = form.iter().any(|field| field.is_file)
                || consumes.is_some_and(|kinds| kinds.to_string().contains("multipart/form-data"));
            let encoding = if multipart {
                FormEncoding::Multipart
            } else {
                FormEncoding::Url
            };
            body = Some(encode_form(&form, encoding));
        }
        headers.push(("accept".into(), "application/json, */*;q=0.8".into()));
        if !cookies.is_empty() {
            headers.push(("cookie".into(), cookies.join("; ")));
        }
        let body = body.map(|(kind, bytes)| {
            headers.push(("content-type".into(), kind));
            bytes
        });
        let segment = |name: &str| segments.get(name).map(text);
        let path = substitute(template, segment)?;
        let mut full = format!("{base}{}{path}", if path.starts_with('/') { "" } else { "/" });
        if !query.is_empty() {
            let _ = write!(
                full,
                "{}{}",
                if full.contains('?') { "&" } else { "?" },
                query.join("&")
            );
        }
        if full.len() > PATH_BYTES {
            return None;
        }
        let method = method.to_ascii_uppercase();
        let id = operation.get("operationId").and_then(Value::as_str);
        Some(Operation {
            name: id.map_or_else(|| format!("{method} {template}"), str::to_owned),
            method,
            path: full,
            headers,
            body,
        })
    }

    /// Returns the operation's parameters, and those of its path that it does not replace.
    fn parameters(&self, item: &'a Value, operation: &'a Value) -> Vec<&'a Value> {
        let list = |value: &'a Value| value.get("parameters").and_then(Value::as_array);
        let key = |parameter: &Value| (parameter.get("name").cloned(), parameter.get("in").cloned());
        let mut all: Vec<&Value> = Vec::new();
        let both = [list(item), list(operation)].into_iter().flatten().flatten();
        for parameter in both.take(PARAMETERS) {
            let parameter = self.resolve(parameter);
            match all.iter().position(|other| key(other) == key(parameter)) {
                Some(at) => all[at] = parameter,
                None => all.push(parameter),
            }
        }
        all
    }

    /// Returns the description of a parameter's values: its schema, that of its content, or (Swagger 2) itself.
    fn schema_of(&self, parameter: &'a Value) -> &'a Value {
        let content = || {
            let media = parameter.get("content")?.as_object()?.values().next()?;
            media.get("schema")
        };
        parameter.get("schema").or_else(content).unwrap_or(parameter)
    }

    /// Returns the value that the description itself names for a parameter.
    fn parameter(&self, parameter: &'a Value) -> Option<Value> {
        if let Some(value) = self.example(parameter) {
            return Some(value);
        }
        let schema = self.resolve(self.schema_of(parameter));
        self.copy(named_value(schema)?)
    }

    /// Returns a parameter's value as parts of the query: `name=value`.
    fn in_query(&self, name: &str, value: &Value, parameter: &Value) -> Vec<String> {
        let pair = |name: &str, value: &str| format!("{}={}", encode(name), encode(value));
        let field = |name: &str| parameter.get(name).and_then(Value::as_str).unwrap_or_default();
        if parameter.get("content").is_some() {
            return vec![pair(name, &value.to_string())];
        }
        let repeat = if self.swagger {
            field("collectionFormat") == "multi"
        } else {
            parameter.get("explode").and_then(Value::as_bool).unwrap_or(true)
        };
        let separator = match (field("style"), field("collectionFormat")) {
            ("pipeDelimited", _) | (_, "pipes") => "|",
            ("spaceDelimited", _) | (_, "ssv") => " ",
            (_, "tsv") => "\t",
            _ => ",",
        };
        match value {
            Value::Array(items) if repeat => items.iter().map(|item| pair(name, &text(item))).collect(),
            Value::Object(fields) if field("style") == "deepObject" => fields
                .iter()
                .map(|(key, value)| pair(&format!("{name}[{key}]"), &text(value)))
                .collect(),
            Value::Object(fields) if repeat => fields
                .iter()
                .map(|(key, value)| pair(key, &text(value)))
                .collect(),
            other => vec![pair(name, &join(other, separator))],
        }
    }

    /// Returns the type and bytes of an operation's body. JSON where there is a choice.
    fn request_body(&self, body: &'a Value) -> Option<(String, Vec<u8>)> {
        let content = body.get("content")?.as_object()?;
        let rank = |kind: &str| {
            let kind = kind.to_ascii_lowercase();
            let kind = kind.split(';').next().unwrap_or_default().trim().to_owned();
            match kind.as_str() {
                "application/json" => 0,
                json if json.ends_with("+json") => 1,
                "*/*" | "application/*" => 2,
                "application/x-www-form-urlencoded" => 3,
                "multipart/form-data" => 4,
                text if text.starts_with("text/") => 5,
                _ => 6,
            }
        };
        let (kind, media) = content.iter().min_by_key(|(kind, _)| rank(kind))?;
        let sample = || {
            let schema = media.get("schema").unwrap_or(&Value::Null);
            self.example(media).unwrap_or_else(|| self.sample(schema))
        };
        let kind = printable(kind);
        Some(match rank(&kind) {
            rank @ 0..=2 => {
                let kind = if rank == 2 {
                    "application/json".into()
                } else {
                    kind
                };
                (kind, sample().to_string().into_bytes())
            }
            rank @ 3..=4 => {
                let value = sample();
                let schema = self.resolve(media.get("schema").unwrap_or(&Value::Null));
                let is_file = |name: &str| {
                    let property = schema.pointer(&format!(
                        "/properties/{}",
                        name.replace('~', "~0").replace('/', "~1")
                    ));
                    let property = property.map(|property| self.resolve(property));
                    let format = property.and_then(|property| property.get("format"));
                    format.and_then(Value::as_str) == Some("binary")
                };
                let fields: Vec<FormField> = match value {
                    Value::Object(fields) => {
                        let field = |(name, value): (String, Value)| FormField {
                            is_file: is_file(&name),
                            name,
                            value,
                        };
                        fields.into_iter().map(field).collect()
                    }
                    other => vec![FormField {
                        name: "value".into(),
                        value: other,
                        is_file: false,
                    }],
                };
                let encoding = if rank == 4 {
                    FormEncoding::Multipart
                } else {
                    FormEncoding::Url
                };
                encode_form(&fields, encoding)
            }
            _ => (kind, text(&sample()).into_bytes()),
        })
    }
}

/// Replaces each `{name}` of a template once, where `value` has one. None if the result is longer than a path may be.
fn substitute(template: &str, value: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut result = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        result.push_str(before);
        let named = after
            .split_once('}')
            .and_then(|(name, after)| Some((value(name)?, after)));
        match named {
            Some((value, after)) => {
                result.push_str(&value);
                rest = after;
            }
            None => {
                result.push('{');
                rest = after;
            }
        }
        if result.len() > PATH_BYTES {
            return None;
        }
    }
    result.push_str(rest);
    (result.len() <= PATH_BYTES).then_some(result)
}
