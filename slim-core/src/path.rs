//! Paths inside a container's root.
//!
//! They are bytes, since Linux allows any byte but NUL and `/` in a name, and they never touch the host: a
//! [`RootPath`] is absolute, holds no `.` or `..`, and can only be looked up in an index of the image.
//!
//! In JSON a path is a string. Bytes that are not UTF-8 are written `\xNN` and a backslash is doubled, so that every
//! path survives the way through a file.
//!
//! ```
//! use slim_core::path::RootPath;
//!
//! let etc = RootPath::new("/usr/../etc//./ssl/");
//! assert_eq!(etc, RootPath::new("/etc/ssl"));
//! assert!(etc.starts_with(&RootPath::new("/etc")) && !etc.starts_with(&RootPath::new("/et")));
//! assert_eq!(etc.join(b"../passwd"), RootPath::new("/etc/passwd"));
//! ```

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An absolute, lexically normal path in a container's root. `..` never climbs above the root.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "String")]
pub struct RootPath(Vec<u8>);

/// A path or another string exactly as a program wrote it: any bytes, perhaps relative, perhaps empty.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "String")]
pub struct RawPath(pub Vec<u8>);

/// Paths order and hash as their bytes do.
impl Borrow<[u8]> for RootPath {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl RootPath {
    /// `/`.
    pub fn root() -> Self {
        Self(b"/".to_vec())
    }

    /// Normalises `path` lexically; a relative one starts at `/`.
    pub fn new(path: impl AsRef<[u8]>) -> Self {
        Self::root().join(path)
    }

    /// `path` seen from this directory: an absolute one replaces it, a relative one is appended; lexically normal.
    ///
    /// Symbolic links are not followed here: the index of the image resolves those.
    pub fn join(&self, path: impl AsRef<[u8]>) -> Self {
        let path = path.as_ref();
        let mut names: Vec<&[u8]> = if path.starts_with(b"/") {
            Vec::new()
        } else {
            self.components().collect()
        };
        for name in path.split(|&b| b == b'/') {
            match name {
                b"" | b"." => {}
                b".." => {
                    names.pop();
                }
                name => names.push(name),
            }
        }
        let mut out = Vec::with_capacity(path.len() + self.0.len() + 1);
        for name in names {
            out.push(b'/');
            out.extend_from_slice(name);
        }
        if out.is_empty() {
            out.push(b'/');
        }
        Self(out)
    }

    /// The path of `name` in this directory: as [`RootPath::join`], and quick where `name` is a single one.
    pub fn child(&self, name: &[u8]) -> Self {
        if name.contains(&b'/') || matches!(name, b"" | b"." | b"..") {
            return self.join(name);
        }
        let mut out = Vec::with_capacity(self.0.len() + 1 + name.len());
        if !self.is_root() {
            out.extend_from_slice(&self.0);
        }
        out.push(b'/');
        out.extend_from_slice(name);
        Self(out)
    }

    /// The bytes, with the leading `/`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes without the leading `/`, as names stand in a layer's tar; empty for the root.
    pub fn relative(&self) -> &[u8] {
        &self.0[1..]
    }

    /// Returns whether this is `/`.
    pub fn is_root(&self) -> bool {
        self.0 == b"/"
    }

    /// The last name; none for the root.
    pub fn name(&self) -> Option<&[u8]> {
        self.components().next_back()
    }

    /// The directory this path stands in; none for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let slash = self.0.iter().rposition(|&b| b == b'/').unwrap_or(0);
        Some(if slash == 0 {
            Self::root()
        } else {
            Self(self.0[..slash].to_vec())
        })
    }

    /// The directories above this path, nearest first, down to the root.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> {
        std::iter::successors(self.parent(), Self::parent)
    }

    /// The names on the way from the root.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|&b| b == b'/').filter(|name| !name.is_empty())
    }

    /// Returns whether this path is `other` or lies below it (by whole names).
    pub fn starts_with(&self, other: &Self) -> bool {
        other.is_root()
            || self
                .0
                .strip_prefix(other.0.as_slice())
                .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    }

    /// The name's extension without its dot, if it has one.
    pub fn extension(&self) -> Option<&[u8]> {
        let name = self.name()?;
        let dot = name.iter().rposition(|&b| b == b'.')?;
        (dot > 0).then(|| &name[dot + 1..])
    }

    /// The path for people and for formats that hold text only; what is not UTF-8 is escaped as in JSON.
    pub fn display(&self) -> Cow<'_, str> {
        encode(&self.0)
    }

    /// The path below a directory of the host, for reading storage that mirrors the container's root.
    ///
    /// The caller opens it with a call that stays below that directory (`openat2` with `RESOLVE_IN_ROOT`).
    pub fn to_relative_os(&self) -> &std::ffi::OsStr {
        std::ffi::OsStr::from_bytes(self.relative())
    }
}

impl RawPath {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for RootPath {
    fn from(path: &str) -> Self {
        Self::new(path)
    }
}

impl From<&[u8]> for RawPath {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

/// Any bytes as text: UTF-8 stays, a backslash is doubled, every other byte becomes `\xNN`.
pub fn encode(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.contains('\\')
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '\\' {
                out.push('\\');
            }
            out.push(c);
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    Cow::Owned(out)
}

/// The bytes that [`encode`] wrote as `text`; none if a backslash starts neither `\\` nor `\xNN`.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'\\', [b'\\', tail @ ..]) => {
                out.push(b'\\');
                tail
            }
            (b'\\', [b'x', high, low, tail @ ..]) => {
                let digit = |d: &u8| char::from(*d).to_digit(16).and_then(|d| u8::try_from(d).ok());
                out.push(digit(high)? * 16 + digit(low)?);
                tail
            }
            (b'\\', _) => return None,
            (byte, tail) => {
                out.push(*byte);
                tail
            }
        };
    }
    Some(out)
}

macro_rules! text_form {
    ($type:ty, $from:expr) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&encode(&self.0))
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", encode(&self.0))
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&encode(&self.0))
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                let bytes = decode(&text).ok_or_else(|| {
                    serde::de::Error::custom(format!(
                        "{text:?}: a backslash must be doubled or start \\xNN"
                    ))
                })?;
                $from(bytes).map_err(serde::de::Error::custom)
            }
        }
    };
}

text_form!(RawPath, |bytes| Ok::<_, String>(RawPath(bytes)));
text_form!(RootPath, |bytes: Vec<u8>| {
    let path = RootPath::new(&bytes);
    if path.0 == bytes {
        Ok(path)
    } else {
        Err(format!("{:?} is not an absolute, normal path", encode(&bytes)))
    }
});

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dots_never_climb_above_the_root() {
        assert_eq!(RootPath::new("/../../etc"), RootPath::new("/etc"));
        assert_eq!(RootPath::new("/a/b").join("../../../c"), RootPath::new("/c"));
        assert_eq!(RootPath::new(""), RootPath::root());
    }

    #[test]
    fn a_prefix_of_a_name_is_not_a_directory() {
        assert!(!RootPath::new("/libfoo").starts_with(&RootPath::new("/lib")));
        assert!(RootPath::new("/lib/foo").starts_with(&RootPath::new("/lib")));
        assert!(RootPath::new("/lib").starts_with(&RootPath::new("/lib")));
    }

    #[test]
    fn ancestors_end_at_the_root() {
        let all: Vec<_> = RootPath::new("/a/b/c")
            .ancestors()
            .map(|p| p.to_string())
            .collect();
        assert_eq!(all, ["/a/b", "/a", "/"]);
    }

    proptest! {
        #[test]
        fn any_bytes_survive_json(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let raw = RawPath(bytes);
            let json = serde_json::to_string(&raw).unwrap();
            prop_assert_eq!(serde_json::from_str::<RawPath>(&json).unwrap(), raw);
        }

        #[test]
        fn a_child_is_what_join_makes(
            directory in prop::collection::vec(any::<u8>(), 0..9),
            name in prop::collection::vec(prop_oneof![Just(b'/'), Just(b'.'), any::<u8>()], 0..4),
        ) {
            let directory = RootPath::new(&directory);
            prop_assert_eq!(directory.child(&name), directory.join(&name));
        }

        #[test]
        fn normal_paths_survive_json(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let path = RootPath::new(&bytes);
            let json = serde_json::to_string(&path).unwrap();
            prop_assert_eq!(serde_json::from_str::<RootPath>(&json).unwrap(), path);
        }
    }
}
