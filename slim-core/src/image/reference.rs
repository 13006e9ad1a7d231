//! Names of images.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The registry of names that have none, and where its own images are.
const DOCKER_HUB: &str = "docker.io";
const LIBRARY: &str = "library";

/// The tag of names that have none.
const LATEST: &str = "latest";

/// Length of the longest name without tag and digest.
const MAX_NAME: usize = 255;

/// Length of the longest tag.
const MAX_TAG: usize = 128;

/// An image's name: `[REGISTRY/]PATH[:TAG][@DIGEST]`. It is printed as it was written.
///
/// Source: distribution/reference, "Grammar" and `normalize.go`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    registry: Option<String>,
    path: String,
    tag: Option<String>,
    digest: Option<String>,
}

/// The reason why a text is no image's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no image's name: {problem}")]
pub struct ReferenceError {
    text: String,
    problem: &'static str,
}

impl Reference {
    /// Returns the registry as it was written (`registry:5000`); none for Docker Hub's short names.
    pub fn registry(&self) -> Option<&str> {
        self.registry.as_deref()
    }

    /// Returns the path in the registry as it was written (`team/app`).
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the tag, if one was written.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// Returns the tag, which is `latest` if none was written.
    pub fn tag_or_latest(&self) -> &str {
        self.tag().unwrap_or(LATEST)
    }

    /// Returns the digest, if one was written (`sha256:…`).
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// Returns the name without tag and digest (`registry:5000/team/app`).
    pub fn name(&self) -> String {
        match &self.registry {
            Some(registry) => format!("{registry}/{}", self.path),
            None => self.path.clone(),
        }
    }

    /// Returns the name with its tag and without its digest (`nginx:latest`).
    pub fn tagged(&self) -> String {
        format!("{}:{}", self.name(), self.tag_or_latest())
    }

    /// Returns the name with its registry and tag, as containerd has it (`docker.io/library/nginx:latest`).
    pub fn canonical(&self) -> String {
        match (&self.registry, self.path.contains('/')) {
            (None, false) => format!("{DOCKER_HUB}/{LIBRARY}/{}", self.tagged()),
            (None, true) => format!("{DOCKER_HUB}/{}", self.tagged()),
            (Some(_), _) => self.tagged(),
        }
    }

    /// Returns the name of the product that is made from the image (`nginx-slim:1.25`).
    #[must_use]
    pub fn slim(&self) -> Self {
        Self {
            registry: self.registry.clone(),
            path: format!("{}-slim", self.path),
            tag: Some(self.tag_or_latest().to_owned()),
            digest: None,
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |problem| ReferenceError {
            text: text.chars().take(2 * MAX_NAME).collect(),
            problem,
        };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        if digest.is_some_and(|digest| !is_digest(digest)) {
            return Err(refuse(
                "a digest is sha256:, sha384: or sha512: and hexadecimal digits",
            ));
        }
        // A colon before the last slash is that of a registry's port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(refuse(
                "a tag is up to 128 letters, digits, '_', '.' and '-', and begins with one of the first three",
            ));
        }
        let (registry, path) = match name.split_once('/') {
            Some((first, path)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), path),
            _ => (None, name),
        };
        if registry.is_some_and(|registry| !is_registry(registry)) {
            return Err(refuse("its registry is not HOST or HOST:PORT"));
        }
        if name.len() > MAX_NAME {
            return Err(refuse("it is longer than 255 bytes"));
        }
        if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(refuse("names are in lower case"));
        }
        if !path.split('/').all(is_component) {
            return Err(refuse(
                "a name is lower-case letters and digits, with '.', '_', '__' or hyphens between them, in parts that \
                 slashes separate",
            ));
        }
        Ok(Self {
            registry: registry.map(str::to_owned),
            path: path.to_owned(),
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }
}

impl TryFrom<String> for Reference {
    type Error = ReferenceError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

fn is_digest(text: &str) -> bool {
    let length = match text.split_once(':') {
        Some(("sha256", hex)) => (hex, 64),
        Some(("sha384", hex)) => (hex, 96),
        Some(("sha512", hex)) => (hex, 128),
        _ => return false,
    };
    length.0.len() == length.1 && length.0.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= MAX_TAG
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

fn is_registry(text: &str) -> bool {
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let label = |label: &str| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        !label.is_empty() && !label.starts_with('-') && !label.ends_with('-') && label.bytes().all(inner)
    };
    host.split('.').all(label)
        && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

/// Returns true for a part of a path: words of small letters and digits, with a separator between every two.
fn is_component(text: &str) -> bool {
    let word = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.first().is_some_and(word)
        && bytes.last().is_some_and(word)
        && bytes
            .split(word)
            .filter(|separator| !separator.is_empty())
            .all(|separator| matches!(separator, b"." | b"_" | b"__") || separator.iter().all(|b| *b == b'-'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Reference {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_is_taken_apart() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (text, registry, path, tag, canonical) in [
            ("nginx", None, "nginx", None, "docker.io/library/nginx:latest"),
            (
                "team/app:v1",
                None,
                "team/app",
                Some("v1"),
                "docker.io/team/app:v1",
            ),
            (
                "host:5000/app",
                Some("host:5000"),
                "app",
                None,
                "host:5000/app:latest",
            ),
            (
                "localhost/app:Up",
                Some("localhost"),
                "app",
                Some("Up"),
                "localhost/app:Up",
            ),
            (
                "test.com:5000",
                None,
                "test.com",
                Some("5000"),
                "docker.io/library/test.com:5000",
            ),
            (
                "a__b-c---d.e",
                None,
                "a__b-c---d.e",
                None,
                "docker.io/library/a__b-c---d.e:latest",
            ),
        ] {
            let reference = parse(text);
            assert_eq!(
                (reference.registry(), reference.path(), reference.tag()),
                (registry, path, tag)
            );
            assert_eq!(reference.canonical(), canonical);
            let with_digest = parse(&format!("{text}@{digest}"));
            assert_eq!(with_digest.digest(), Some(digest.as_str()));
            assert_eq!(with_digest.tagged(), reference.tagged());
        }
    }

    #[test]
    fn the_product_keeps_registry_and_tag() {
        for (image, product) in [
            ("nginx", "nginx-slim:latest"),
            ("nginx:1.25", "nginx-slim:1.25"),
            ("host:5000/team/app", "host:5000/team/app-slim:latest"),
            ("host:5000/team/app:v1", "host:5000/team/app-slim:v1"),
            (&format!("app@sha256:{}", "a".repeat(64)), "app-slim:latest"),
        ] {
            assert_eq!(parse(image).slim().to_string(), product);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let long = "a".repeat(256);
        let tag = format!("a:{}", "b".repeat(129));
        for text in [
            "",
            ":tag",
            "App",
            "host:5000/App",
            "HOST/app",
            "a//b",
            "/a",
            "a/",
            "a:",
            "a:-b",
            "a b",
            "a@",
            "a@sha256:12",
            "-a",
            "a-",
            "a..b",
            "a___b",
            "a.-b",
            "../a",
            "host:port/a",
            "-h.com/a",
            ".com/a",
            "a\n",
            "ä",
            &long,
            &tag,
            &format!("a@md5:{}", "a".repeat(64)),
            &format!("a@sha256:{}", "A".repeat(64)),
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_parsed_is_printed_as_it_was(
            text in "(([a-zA-Z0-9-]{1,4}\\.)?[a-z0-9]{1,4}(:[0-9]{1,5})?/)?[a-z0-9]{1,3}([._-]{1,2}[a-z0-9]{1,3}){0,2}(/[a-z]{1,3}){0,2}(:[A-Za-z0-9_.-]{1,5})?(@sha256:[0-9a-f]{64})?",
        ) {
            if let Ok(reference) = text.parse::<Reference>() {
                prop_assert_eq!(reference.to_string(), text);
                // Every name that is made from one is a name again.
                for made in [reference.canonical(), reference.tagged(), reference.slim().to_string()] {
                    prop_assert_eq!(parse(&made).to_string(), made);
                }
                let canonical = parse(&reference.canonical());
                prop_assert_eq!(canonical.canonical(), canonical.to_string());
            }
        }

        #[test]
        fn parts_come_back(
            port in proptest::option::of(1u16..),
            path in "[a-z0-9]{1,8}(/[a-z0-9]{1,8}){0,3}",
            tag in proptest::option::of("[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}"),
            digest in proptest::option::of("sha256:[0-9a-f]{64}"),
        ) {
            let registry = port.map(|port| format!("registry.example:{port}"));
            let reference = Reference { registry, path, tag, digest };
            prop_assert_eq!(parse(&reference.to_string()), reference);
        }

        #[test]
        fn no_text_is_too_odd(text in any::<String>()) {
            let _ = text.parse::<Reference>();
        }
    }
}
