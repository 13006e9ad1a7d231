//! Values for the parameters and bodies of a request: those of the description, or made up from its schemas.

use serde_json::{Map, Value, json};

use super::Walker;

/// Depth of a made up value.
const DEPTH: usize = 24;
/// Length of made up strings and lists at most, whatever minimum a schema names.
const LENGTH: u64 = 4096;

impl<'a> Walker<'a> {
    /// Returns the example of a parameter or a media type.
    pub(super) fn example(&self, holder: &'a Value) -> Option<Value> {
        if let Some(example) = holder.get("example").or_else(|| holder.get("x-example")) {
            return self.copy(example);
        }
        let first = holder.get("examples")?.as_object()?.values().next()?;
        self.copy(self.resolve(first).get("value")?)
    }

    /// Returns a copy of a value of the document, if the request may still have that many bytes.
    pub(super) fn copy(&self, value: &Value) -> Option<Value> {
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

    /// Returns a value that the schema allows, or null.
    pub(super) fn sample(&self, schema: &'a Value) -> Value {
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
pub(super) fn named_value(schema: &Value) -> Option<&Value> {
    let first = |name: &str| schema.get(name)?.as_array()?.first();
    schema
        .get("example")
        .or_else(|| first("examples"))
        .or_else(|| schema.get("default").filter(|value| !value.is_null()))
        .or_else(|| schema.get("const"))
        .or_else(|| first("enum"))
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
