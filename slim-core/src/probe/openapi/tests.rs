//! Descriptions and the requests that are made of them.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::json;

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
