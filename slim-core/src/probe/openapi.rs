//! Requests from an OpenAPI 3 or Swagger 2 description: every operation once, with values from its examples, defaults and
//! enumerations, else made up from its schemas.
//!
//! A description is as hostile as anything else that an app serves: references are followed within the document only,
//! their cycles are cut, and a request has a bounded number of values and bytes.

use std::cell::Cell;
use std::fmt::Write as _;

use reqwest::Url;
use serde_json::{Map, Value, json};
use url::Position;

/// Number of operations that are requested at most.
const OPERATIONS: usize = 2000;
/// Number of parameters of an operation that are read.
const PARAMETERS: usize = 200;
/// Number of values that are made up for one request at most.
const VALUES: usize = 5000;
/// Depth of a made up value.
const DEPTH: usize = 24;
/// Length of made up strings and lists at most, whatever minimum a schema names.
const LENGTH: u64 = 4096;
/// Number of references to references that are followed.
const REFERENCES: usize = 32;
/// Length of a request's path and query at most.
const PATH_BYTES: usize = 8 << 10;
/// Number of bytes of values in one request at most.
const REQUEST_BYTES: usize = 4 << 20;
/// Number of bytes of all requests at most.
const ALL_BYTES: usize = 64 << 20;
/// Separates the parts of a form; the same each time, so that requests are.
const BOUNDARY: &str = "slim-probe-7d1f0c5a";

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

    /// Returns the example of a parameter or a media type.
    fn example(&self, holder: &'a Value) -> Option<Value> {
        if let Some(example) = holder.get("example").or_else(|| holder.get("x-example")) {
            return self.copy(example);
        }
        let first = holder.get("examples")?.as_object()?.values().next()?;
        self.copy(self.resolve(first).get("value")?)
    }

    /// Returns a copy of a value of the document, if the request may still have that many bytes.
    fn copy(&self, value: &Value) -> Option<Value> {
        self.spend(value).then(|| value.clone())
    }

    /// Takes the size of `value` from the bytes that are left; false if there are too few.
    fn spend(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.spend_bytes(text.len()),
            Value::Array(items) => self.spend_bytes(0) && items.iter().all(|item| self.spend(item)),
            Value::Object(fields) => {
                self.spend_bytes(0)
                    && fields
                        .iter()
                        .all(|(name, value)| self.spend_bytes(name.len()) && self.spend(value))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => self.spend_bytes(0),
        }
    }

    fn spend_bytes(&self, length: usize) -> bool {
        // What surrounds a value: quotes, commas, or the digits of a number.
        const AROUND: usize = 16;
        let left = self.bytes_left.get().checked_sub(length.saturating_add(AROUND));
        self.bytes_left.set(left.unwrap_or(0));
        left.is_some()
    }

    fn is_spent(&self) -> bool {
        self.bytes_left.get() == 0 || self.values_left.get() == 0
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

    fn sample(&self, schema: &'a Value) -> Value {
        self.value(schema, &mut Vec::new()).unwrap_or(Value::Null)
    }

    /// Returns a value that the schema allows; none where it would contain itself or is beyond the bounds.
    fn value(&self, schema: &'a Value, within: &mut Vec<*const Value>) -> Option<Value> {
        if self.is_spent() {
            return None;
        }
        self.values_left.set(self.values_left.get() - 1);
        let schema = self.resolve(schema);
        if within.len() >= DEPTH || within.contains(&std::ptr::from_ref(schema)) {
            return None;
        }
        within.push(std::ptr::from_ref(schema));
        let value = self.by_keyword(schema, within);
        within.pop();
        value
    }

    fn by_keyword(&self, schema: &'a Value, within: &mut Vec<*const Value>) -> Option<Value> {
        if let Some(value) = named_value(schema) {
            return self.copy(value);
        }
        let list = |name: &str| schema.get(name).and_then(Value::as_array);
        if let Some(all) = list("allOf") {
            let mut merged = Map::new();
            let mut other = None;
            for part in all {
                match self.value(part, within) {
                    Some(Value::Object(fields)) => merged.extend(fields),
                    Some(value) => other = Some(value),
                    None => {}
                }
            }
            if let Some(Value::Object(fields)) = self.object(schema, within) {
                merged.extend(fields);
            }
            return match other {
                Some(value) if merged.is_empty() => Some(value),
                _ => Some(Value::Object(merged)),
            };
        }
        for name in ["oneOf", "anyOf"] {
            for choice in list(name).into_iter().flatten() {
                if is_null(self.resolve(choice)) {
                    continue;
                }
                let Some(value) = self.value(choice, within) else {
                    continue;
                };
                return Some(match (value, self.object(schema, within)) {
                    (Value::Object(mut fields), Some(Value::Object(more))) => {
                        fields.extend(more);
                        Value::Object(fields)
                    }
                    (value, _) => value,
                });
            }
        }
        match type_of(schema) {
            "object" => self.object(schema, within),
            "array" => {
                let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1);
                let items = schema.get("items").unwrap_or(&Value::Null);
                let mut list = Vec::new();
                for _ in 0..least.clamp(1, LENGTH) {
                    match self.value(items, within) {
                        Some(item) => list.push(item),
                        None => break,
                    }
                }
                Some(Value::Array(list))
            }
            "integer" => Some(number(schema, true)),
            "number" => Some(number(schema, false)),
            "boolean" => Some(Value::Bool(true)),
            "null" => Some(Value::Null),
            "file" => Some(Value::String("slim".into())),
            _ => {
                let text = string(schema);
                self.spend_bytes(text.len()).then_some(Value::String(text))
            }
        }
    }

    fn object(&self, schema: &'a Value, within: &mut Vec<*const Value>) -> Option<Value> {
        let mut fields = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            if self.is_spent() {
                break;
            }
            // A server fills these in itself.
            if self.resolve(property).get("readOnly").and_then(Value::as_bool) == Some(true) {
                continue;
            }
            if let Some(value) = self
                .value(property, within)
                .filter(|_| self.spend_bytes(name.len()))
            {
                fields.insert(name.clone(), value);
            }
        }
        Some(Value::Object(fields))
    }
}

/// Returns the value that a schema itself names.
fn named_value(schema: &Value) -> Option<&Value> {
    let first = |name: &str| schema.get(name)?.as_array()?.first();
    schema
        .get("example")
        .or_else(|| first("examples"))
        .or_else(|| schema.get("default").filter(|value| !value.is_null()))
        .or_else(|| schema.get("const"))
        .or_else(|| first("enum"))
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

fn is_null(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("null")
}

/// Returns the type that a schema names or implies; `string` if none.
fn type_of(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => kinds
            .iter()
            .filter_map(Value::as_str)
            .find(|kind| *kind != "null")
            .unwrap_or("null"),
        _ if schema.get("properties").is_some() || schema.get("additionalProperties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ if schema.get("minimum").is_some() || schema.get("maximum").is_some() => "number",
        _ => "string",
    }
}

/// Returns 1, or the nearest number that the schema allows.
fn number(schema: &Value, integer: bool) -> Value {
    let field = |name: &str| schema.get(name).and_then(Value::as_f64);
    let exclusive = |name: &str| schema.get(name).and_then(Value::as_bool) == Some(true);
    let step = if integer { 1.0 } else { 0.5 };
    let mut value = 1.0f64;
    // In OpenAPI 3.1 an exclusive bound is a number of its own, before a flag.
    let maximum = field("exclusiveMaximum").map(|most| most - step).or_else(|| {
        field("maximum").map(|most| {
            if exclusive("exclusiveMaximum") {
                most - step
            } else {
                most
            }
        })
    });
    let minimum = field("exclusiveMinimum").map(|least| least + step).or_else(|| {
        field("minimum").map(|least| {
            if exclusive("exclusiveMinimum") {
                least + step
            } else {
                least
            }
        })
    });
    if let Some(maximum) = maximum {
        value = value.min(maximum);
    }
    if let Some(minimum) = minimum {
        value = value.max(minimum);
    }
    if let Some(multiple) = field("multipleOf").filter(|multiple| *multiple > 0.0) {
        value = (value / multiple).ceil() * multiple;
    }
    if integer || value.fract() == 0.0 {
        // Casting saturates.
        json!(value as i64)
    } else {
        json!(value)
    }
}

/// Returns a string of the schema's format and length.
fn string(schema: &Value) -> String {
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    let made = match format {
        "date-time" => "2020-01-01T00:00:00Z",
        "date" => "2020-01-01",
        "time" => "00:00:00Z",
        "duration" => "PT1S",
        "uuid" => "00000000-0000-4000-8000-000000000001",
        "email" | "idn-email" => "user@example.com",
        "uri" | "url" | "uri-reference" | "iri" => "http://localhost/",
        "hostname" | "idn-hostname" => "localhost",
        "ipv4" => "127.0.0.1",
        "ipv6" => "::1",
        "byte" => "c2xpbQ==",
        _ => "string",
    };
    if format.is_empty() || format == "password" {
        let length = |name: &str| {
            schema
                .get(name)
                .and_then(Value::as_u64)
                .map(|length| length.min(LENGTH) as usize)
        };
        let mut text = made.to_owned();
        if let Some(least) = length("minLength") {
            while text.len() < least {
                text.push('s');
            }
        }
        if let Some(most) = length("maxLength") {
            text.truncate(most);
        }
        return text;
    }
    made.to_owned()
}

/// Returns a value as text: strings without quotes, others as JSON.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Returns a value as one text (the style "simple"): lists and objects joined.
fn join(value: &Value, separator: &str) -> String {
    match value {
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(separator),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| format!("{key}{separator}{}", text(value)))
            .collect::<Vec<_>>()
            .join(separator),
        other => text(other),
    }
}

/// Percent-encodes all but RFC 3986's unreserved characters.
fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Returns the text without control characters, which a header's value cannot have.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// A field of a form.
struct FormField {
    name: String,
    value: Value,
    is_file: bool,
}

/// The encoding of a form.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FormEncoding {
    /// `application/x-www-form-urlencoded`.
    Url,
    /// `multipart/form-data`.
    Multipart,
}

/// Returns a form's type and bytes.
fn encode_form(fields: &[FormField], encoding: FormEncoding) -> (String, Vec<u8>) {
    if encoding == FormEncoding::Url {
        let pairs: Vec<String> = fields
            .iter()
            .map(|field| format!("{}={}", encode(&field.name), encode(&join(&field.value, ","))))
            .collect();
        return (
            "application/x-www-form-urlencoded".into(),
            pairs.join("&").into_bytes(),
        );
    }
    let mut body = String::new();
    for field in fields {
        let name = printable(&field.name).replace('"', "%22");
        let file = if field.is_file {
            "; filename=\"slim.txt\"\r\ncontent-type: text/plain"
        } else {
            ""
        };
        let _ = write!(
            body,
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"{file}\r\n\r\n{}\r\n",
            text(&field.value)
        );
    }
    let _ = write!(body, "--{BOUNDARY}--\r\n");
    (
        format!("multipart/form-data; boundary={BOUNDARY}"),
        body.into_bytes(),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str, served_at: &str) -> String {
        let walk = walk(text, served_at).unwrap();
        let mut lines = Vec::new();
        for operation in &walk.operations {
            lines.push(format!(
                "{} {}  ({})",
                operation.method, operation.path, operation.name
            ));
            for (name, value) in operation.headers.iter().filter(|(name, _)| name != "accept") {
                lines.push(format!("    {name}: {value}"));
            }
            if let Some(body) = &operation.body {
                lines.push(format!("    {}", String::from_utf8_lossy(body).escape_debug()));
            }
        }
        lines.extend(walk.notes);
        lines.join("\n")
    }

    #[test]
    fn openapi_3_in_yaml() {
        let text = r##"
openapi: 3.0.3
servers: [{url: "https://{host}/api/{v}", variables: {host: {default: example.com}, v: {default: v1}}}]
paths:
  /pets/{id}:
    parameters:
      - $ref: '#/components/parameters/Id'
    delete: {operationId: deletePet}
    get:
      parameters:
        - {name: fields, in: query, schema: {type: array, items: {type: string, enum: [name, tag]}, minItems: 2}, required: true}
        - {name: page, in: query, schema: {type: integer, default: 3}}
        - {name: optional, in: query, schema: {type: string}}
        - {name: filter, in: query, style: deepObject, required: true, schema: {type: object, properties: {a b: {type: boolean}}}}
        - {name: X-Request, in: header, required: true, schema: {type: string, format: uuid}}
        - {name: sid, in: cookie, required: true, schema: {type: string, maxLength: 3}}
  /pets:
    post:
      requestBody:
        content:
          text/plain: {example: no}
          application/json:
            schema: {$ref: '#/components/schemas/Pet'}
  /upload:
    put:
      requestBody:
        content:
          multipart/form-data:
            schema: {properties: {note: {type: string}, data: {type: string, format: binary}}}
  /elsewhere:
    get:
      parameters: [{$ref: 'other.yaml#/X'}]
components:
  parameters:
    Id: {name: id, in: path, required: true, schema: {type: string}, examples: {one: {value: a/b}}}
  schemas:
    Pet:
      allOf:
        - {$ref: '#/components/schemas/Named'}
        - type: object
          properties:
            id: {type: integer, readOnly: true}
            age: {type: integer, minimum: 3, exclusiveMinimum: true}
            born: {type: string, format: date}
            friends: {type: array, items: {$ref: '#/components/schemas/Pet'}}
            owner: {oneOf: [{type: 'null'}, {$ref: '#/components/schemas/Named'}]}
    Named: {type: object, properties: {name: {type: string, example: Rex}}}
"##;
        insta::assert_snapshot!(shown(text, "/docs/openapi.yaml"));
    }

    #[test]
    fn swagger_2_in_json() {
        let text = r##"{"swagger": "2.0", "basePath": "/v2/", "paths": {
            "/users": {"post": {"parameters": [{"in": "body", "name": "u", "schema": {"$ref": "#/definitions/User"}}]},
                       "get": {"parameters": [{"in": "query", "name": "ids", "type": "array", "required": true,
                                               "items": {"type": "integer"}, "collectionFormat": "multi"}]}},
            "/photo": {"post": {"parameters": [{"in": "formData", "name": "f", "type": "file"},
                                               {"in": "formData", "name": "t", "type": "string", "default": "x y"}]}},
            "/form": {"post": {"parameters": [{"in": "formData", "name": "a&b", "type": "string", "default": "x y"}]}}},
            "definitions": {"User": {"properties": {"email": {"type": "string", "format": "email"}}}}}"##;
        insta::assert_snapshot!(shown(text, "/"));
    }

    #[test]
    fn the_base_path_is_relative_to_the_description() {
        let at = |url: &str| {
            let text = format!(
                r#"{{"openapi": "3.1.0", "servers": [{{"url": "{url}"}}], "paths": {{"/x": {{"get": {{}}}}}}}}"#
            );
            walk(&text, "/docs/api.json").unwrap().operations[0].path.clone()
        };
        assert_eq!(at("./v1"), "/docs/v1/x");
        assert_eq!(at("/v1/"), "/v1/x");
        assert_eq!(at("https://example.com"), "/x");
    }

    #[test]
    fn what_is_no_description_is_named() {
        let error = |text: &str| walk(text, "/").unwrap_err();
        assert_eq!(
            error("{}"),
            "neither an \"openapi\" nor a \"swagger\" version at its top"
        );
        assert_eq!(
            error("openapi: 4.0.0"),
            "version 4.0.0 is not known: OpenAPI 3 and Swagger 2 are"
        );
        assert!(error("{").starts_with("not JSON: "));
        assert!(error("a: [").starts_with("not YAML: "), "{}", error("a: ["));
    }

    #[test]
    fn cycles_and_doublings_end() {
        // Each schema has the next one twice: 2^40 values, and the last refers to the first.
        let mut schemas = Map::new();
        for i in 0..40 {
            let next = json!({"$ref": format!("#/components/schemas/S{}", (i + 1) % 40)});
            schemas.insert(
                format!("S{i}"),
                json!({"properties": {"a": next, "b": next}, "allOf": [next]}),
            );
        }
        schemas.insert("L".into(), json!({"$ref": "#/components/schemas/L"}));
        let body = |name: &str| {
            json!({"post": {"requestBody": {"content": {"application/json":
                {"schema": {"$ref": format!("#/components/schemas/{name}")}}}}}})
        };
        let text = json!({"openapi": "3.0.0", "paths": {"/s": body("S0"), "/l": body("L")},
                          "components": {"schemas": schemas}});
        let walk = walk(&text.to_string(), "/").unwrap();
        assert_eq!(walk.operations.len(), 2);
    }

    fn described(paths: Value, more: &[(&str, Value)]) -> String {
        let mut document = json!({"openapi": "3.0.0", "paths": paths});
        for (name, value) in more {
            document[name] = value.clone();
        }
        document.to_string()
    }

    #[test]
    fn variables_of_a_server_are_replaced_once() {
        // Each default names the next variable twice: 2^22 characters where defaults are replaced again.
        let mut variables = Map::new();
        for i in 0..22 {
            let next = format!("{{v{}}}", i + 1);
            variables.insert(format!("v{i}"), json!({"default": format!("{next}{next}")}));
        }
        let servers = json!([{"url": "/{v0}", "variables": variables}]);
        let text = described(json!({"/x": {"get": {}}}), &[("servers", servers)]);
        let path = &walk(&text, "/").unwrap().operations[0].path;
        assert!(path.len() <= PATH_BYTES, "{}", path.len());
        assert_eq!(path, "/%7Bv1%7D%7Bv1%7D/x");
        // A template that repeats a long default.
        let long = json!({"default": "d".repeat(1000)});
        let servers = json!([{"url": "/{v}".repeat(1000), "variables": {"v": long}}]);
        let text = described(json!({"/x": {"get": {}}}), &[("servers", servers)]);
        assert_eq!(walk(&text, "/").unwrap().operations[0].path, "/x");
    }

    #[test]
    fn a_request_that_is_too_large_is_left_out() {
        let parameter = json!({"name": "a", "in": "path", "required": true, "example": "v".repeat(10_000)});
        let paths = json!({
            "/x".to_owned() + &"{a}".repeat(1000): {"get": {"parameters": [parameter]}},
            "/y": {"get": {}},
        });
        let walk = walk(&described(paths, &[]), "/").unwrap();
        assert_eq!(walk.operations.len(), 1);
        assert_eq!(
            walk.notes,
            ["1 operations of the API description were left out: their requests are too large"]
        );
    }

    #[test]
    fn an_example_is_not_repeated_without_a_bound() {
        let schema = json!({"type": "array", "minItems": 4096, "items": {"example": "e".repeat(100_000)}});
        let body = json!({"post": {"requestBody": {"content": {"application/json": {"schema": schema}}}}});
        let walked = walk(&described(json!({"/x": body}), &[]), "/").unwrap();
        let length = walked.operations[0].body.as_ref().unwrap().len();
        assert!(length > 100_000 && length <= REQUEST_BYTES, "{length}");
        // The same body of many operations.
        let content = json!({"application/json": {"example": "e".repeat(500_000)}});
        let shared = json!({"post": {"requestBody": {"content": content}}});
        let paths: Map<String, Value> = (0..1000)
            .map(|i| (format!("/{i}"), json!({"$ref": "#/components/x"})))
            .collect();
        let text = described(paths.into(), &[("components", json!({"x": shared}))]);
        let walked = walk(&text, "/").unwrap();
        let bodies = walked.operations.iter().filter_map(|one| one.body.as_ref());
        let all: usize = bodies.map(Vec::len).sum();
        assert!(all <= ALL_BYTES, "{all}");
        assert!(
            walked.notes[0].ends_with("were left out: their requests are too large"),
            "{:?}",
            walked.notes
        );
    }

    #[test]
    fn parameters_are_bounded() {
        let parameters: Vec<Value> = (0..20_000)
            .map(|i| json!({"name": i.to_string(), "in": "query", "required": true}))
            .collect();
        let text = described(json!({"/x": {"get": {"parameters": parameters}}}), &[]);
        let path = &walk(&text, "/").unwrap().operations[0].path;
        assert_eq!(path.matches('=').count(), PARAMETERS);
    }

    #[test]
    fn yaml_aliases_do_not_multiply() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for i in 1..12 {
            let list = vec![format!("*a{}", i - 1); 9].join(", ");
            let _ = writeln!(text, "a{i}: &a{i} [{list}]");
        }
        let error = walk(&text, "/").unwrap_err();
        assert!(error.starts_with("not YAML: "), "{error}");
    }

    #[test]
    fn deep_nesting_is_an_error() {
        for text in ["{\"a\":".repeat(100_000), "[".repeat(100_000)] {
            assert!(walk(&text, "/").is_err());
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let word = proptest::sample::select(vec![
            "$ref",
            "#/paths",
            "#",
            "name",
            "in",
            "path",
            "query",
            "schema",
            "type",
            "object",
            "array",
            "items",
            "properties",
            "allOf",
            "oneOf",
            "minItems",
            "get",
            "post",
            "requestBody",
            "content",
            "application/json",
            "multipart/form-data",
            "parameters",
            "/a/{b}",
            "b",
            "required",
            "example",
            "enum",
            "../..",
            "\r\n",
        ]);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(|number| json!(number)),
            any::<f64>().prop_map(|number| json!(number)),
            word.clone().prop_map(|word| json!(word)),
        ];
        leaf.prop_recursive(6, 60, 6, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                proptest::collection::vec((word.clone(), inner), 0..6).prop_map(|fields| Value::Object(
                    fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
                )),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_description_panics_or_leaves_the_host(paths in any_json(), schema in any_json()) {
            let text = json!({"openapi": "3.0.0", "paths": {"/a/{b}": paths,
                "/c": {"post": {"requestBody": {"content": {"application/json": {"schema": schema}}}}}}});
            for operation in walk(&text.to_string(), "/").unwrap().operations {
                prop_assert!(operation.path.starts_with('/'));
                let url = Url::parse(&format!("http://localhost{}", operation.path)).unwrap();
                prop_assert_eq!(url.host_str(), Some("localhost"));
                prop_assert!(operation.headers.iter().all(|(_, value)| !value.contains(['\r', '\n'])));
            }
        }
    }
}
