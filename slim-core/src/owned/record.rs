//! A record: one JSON value a line, the first of them its owner.
//!
//! A line counts once it is whole. One that was cut short by its writer's end is the last, and says nothing: what is about
//! to be created is written before it is, and everything else can be found out again.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::fcntl::Flock;
use serde::{Deserialize, Serialize};

use super::directory::{SUFFIX, failed};
use super::watchdog::Watchdog;
use super::{Error, Kind, Owner, Place, State, Thing};

/// Names and ids are not longer.
const MAX_NAME: usize = 512;

/// A random token's bytes.
const TOKEN: usize = 16;

/// As long after a record was last written to, what its owner asked for may still come into being: the engine goes on with
/// what it was asked for when nobody waits for the answer any more.
const SETTLED: Duration = Duration::from_secs(10);

/// A line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Line {
    /// The first: whose record it is.
    Owner(Owner),
    /// A thing that is about to be made.
    Making {
        /// Its number in this record.
        number: u64,
        /// The thing.
        thing: Thing,
    },
    /// It was made.
    Made {
        /// Its number.
        number: u64,
        /// The engine's id of it.
        id: String,
    },
    /// It is gone.
    Gone {
        /// Its number.
        number: u64,
    },
}

impl Line {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("a line has string keys");
        bytes.push(b'\n');
        bytes
    }
}

/// The things that a living process made; its lock tells the others that it lives.
#[derive(Debug)]
pub struct Ledger {
    state: State,
    name: OsString,
    book: Mutex<Book>,
}

#[derive(Debug)]
struct Book {
    file: Flock<File>,
    /// The length of the owner's line.
    head: u64,
    next: u64,
    left: BTreeSet<u64>,
    watchdog: Option<Watchdog>,
}

impl Ledger {
    /// Begins a record, watched by `program` if there is one.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Watchdog`].
    pub fn begin(state: State, program: Option<&[OsString]>) -> Result<Arc<Self>, Error> {
        let owner = Owner::current();
        let token = random(8)?;
        let name = OsString::from(format!("{}-{}-{token}{SUFFIX}", owner.pid, owner.start));
        let file = state.create(&name)?;
        let first = Line::Owner(owner).bytes();
        (&*file)
            .write_all(&first)
            .map_err(|error| failed(&state.path_of(&name), error))?;
        let watchdog = match program.map(|program| Watchdog::start(program, &name)).transpose() {
            Ok(watchdog) => watchdog,
            Err(error) => {
                // Nothing stands in it: were it to stay, the next slim would remove it.
                let _ = state.remove(&name);
                return Err(error);
            }
        };
        Ok(Arc::new(Self {
            state,
            name,
            book: Mutex::new(Book {
                file,
                head: first.len() as u64,
                next: 0,
                left: BTreeSet::new(),
                watchdog,
            }),
        }))
    }

    /// Writes down what is about to be made. `name` is made from a token that nobody else knows.
    ///
    /// # Errors
    /// [`Error::Io`]: nothing is to be made then.
    pub fn claim(
        self: &Arc<Self>,
        kind: Kind,
        place: Place,
        name: impl FnOnce(&str) -> String,
    ) -> Result<Claim, Error> {
        let token = random(TOKEN)?;
        let thing = Thing {
            kind,
            name: name(&token),
            token,
            place,
            id: None,
        };
        let mut book = self.book();
        let number = book.next;
        book.next += 1;
        let line = Line::Making {
            number,
            thing: thing.clone(),
        };
        (&*book.file)
            .write_all(&line.bytes())
            .map_err(|error| failed(&self.state.path_of(&self.name), error))?;
        book.left.insert(number);
        drop(book);
        Ok(Claim {
            ledger: Arc::clone(self),
            number,
            thing,
        })
    }

    /// Ends the record: see [`super::end`].
    pub(super) fn end(&self) {
        let mut book = self.book();
        let nothing_left = book.left.is_empty();
        if nothing_left && let Err(error) = self.state.remove(&self.name) {
            tracing::warn!("{error}");
        }
        if let Some(watchdog) = book.watchdog.take() {
            watchdog.let_go(nothing_left);
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Nothing is done under the lock that could leave it half-changed.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, line: &Line) {
        let mut book = self.book();
        let written = match line {
            Line::Gone { number } => {
                book.left.remove(number);
                if book.left.is_empty() {
                    book.file.set_len(book.head)
                } else {
                    (&*book.file).write_all(&line.bytes())
                }
            }
            _ => (&*book.file).write_all(&line.bytes()),
        };
        if let Err(error) = written {
            // What was to be made is written: whoever reads it finds out the rest.
            tracing::warn!("{}: {error}", self.state.path_of(&self.name).display());
        }
    }
}

/// One thing in this process's record. Forgetting it leaves it to the watchdog, or to the next slim.
#[derive(Clone, Debug)]
pub struct Claim {
    ledger: Arc<Ledger>,
    number: u64,
    thing: Thing,
}

impl Claim {
    /// Returns the thing that is claimed.
    pub fn thing(&self) -> &Thing {
        &self.thing
    }

    /// It was made, and its engine calls it `id`.
    pub fn made(&mut self, id: &str) {
        self.thing.id = Some(id.to_owned());
        self.ledger.write(&Line::Made {
            number: self.number,
            id: id.to_owned(),
        });
    }

    /// It is gone, or never came to be.
    pub fn gone(self) {
        self.ledger.write(&Line::Gone { number: self.number });
    }
}

/// The things that a dead process left, and the lock of its record: nobody else acts on it meanwhile.
#[derive(Debug)]
pub struct Left<'a> {
    state: &'a State,
    name: OsString,
    file: Flock<File>,
    owner: Option<Owner>,
    things: BTreeMap<u64, Thing>,
    age: Duration,
}

impl<'a> Left<'a> {
    pub(super) fn read(
        state: &'a State,
        name: &OsStr,
        file: Flock<File>,
        bytes: &[u8],
        age: Duration,
    ) -> Result<Self, Error> {
        let (owner, things) = parse(bytes).map_err(|(line, problem)| Error::Malformed {
            path: state.path_of(name),
            line,
            problem,
        })?;
        Ok(Self {
            state,
            name: name.to_owned(),
            file,
            owner,
            things,
            age,
        })
    }

    /// The process id of the owner; 0 where it was killed before it could write it.
    pub fn pid(&self) -> u32 {
        self.owner.as_ref().map_or(0, |owner| owner.pid)
    }

    /// Returns the record's file.
    pub fn path(&self) -> PathBuf {
        self.state.path_of(&self.name)
    }

    /// Returns the things that were made and are not known to be gone, with their numbers, in the order in which it can be removed: containers use
    /// the rest, and the last made may use what was made before.
    pub fn things(&self) -> Vec<(u64, Thing)> {
        let newest_first = self.things.iter().rev();
        let mut list: Vec<_> = newest_first
            .map(|(&number, thing)| (number, thing.clone()))
            .collect();
        list.sort_by_key(|(_, thing)| thing.kind);
        list
    }

    /// Returns whether `thing`, which is not there, will not come to be any more.
    pub fn settled(&self, thing: &Thing) -> bool {
        thing.id.is_some() || self.age >= SETTLED
    }

    /// The thing is gone, or is not to be removed.
    pub fn done(&mut self, number: u64) {
        if self.things.remove(&number).is_some()
            && let Err(error) = (&*self.file).write_all(&Line::Gone { number }.bytes())
        {
            // It is looked for again, and not found.
            tracing::warn!("{}: {error}", self.path().display());
        }
    }

    /// Removes the record if nothing is left in it; whether it did.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn close(self) -> Result<bool, Error> {
        let empty = self.things.is_empty();
        if empty {
            // Before the lock goes: who gets it then sees that the file has no name any more.
            self.state.remove(&self.name)?;
        }
        Ok(empty)
    }
}

/// Owner, if its line is whole, and things by number.
type Parsed = (Option<Owner>, BTreeMap<u64, Thing>);

/// Returns the content of a record; or the number of the line that is wrong, and the fault.
fn parse(bytes: &[u8]) -> Result<Parsed, (usize, String)> {
    let mut owner = None;
    let mut things: BTreeMap<u64, Thing> = BTreeMap::new();
    let mut made = BTreeSet::new();
    let whole = bytes.split_inclusive(|&byte| byte == b'\n');
    for (at, line) in whole.take_while(|line| line.ends_with(b"\n")).enumerate() {
        let wrong = |problem: &str| (at + 1, problem.to_owned());
        let line: Line = serde_json::from_slice(line).map_err(|error| wrong(&error.to_string()))?;
        match (at, line) {
            (0, Line::Owner(first)) => owner = Some(first),
            (0, _) | (_, Line::Owner(_)) => return Err(wrong("the owner is the first line and no other")),
            (_, Line::Making { number, thing }) => {
                check(&thing).map_err(wrong)?;
                if !made.insert(number) {
                    return Err(wrong("its number was there before"));
                }
                things.insert(number, thing);
            }
            (_, Line::Made { number, id }) => match things.get_mut(&number) {
                Some(thing) if thing.id.is_none() => {
                    check_text(&id).map_err(wrong)?;
                    thing.id = Some(id);
                }
                _ => return Err(wrong("nothing of this number is being made")),
            },
            (_, Line::Gone { number }) => {
                things
                    .remove(&number)
                    .ok_or_else(|| wrong("there is nothing of this number"))?;
            }
        }
    }
    Ok((owner, things))
}

fn check(thing: &Thing) -> Result<(), &'static str> {
    check_text(&thing.name)?;
    if thing.id.is_some() {
        return Err("what is about to be made has no id");
    }
    if thing.token.len() != 2 * TOKEN || !thing.token.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err("the token is not 32 hexadecimal digits");
    }
    Ok(())
}

fn check_text(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || text.len() > MAX_NAME || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("a name or an id is 1 to 512 visible ASCII characters");
    }
    Ok(())
}

/// `count` random bytes in hexadecimal.
fn random(count: usize) -> Result<String, Error> {
    let path = std::path::Path::new("/dev/urandom");
    let mut bytes = vec![0; count];
    File::open(path)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|error| failed(path, error))?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn state(parent: &tempfile::TempDir) -> State {
        State::open(parent.path()).expect("a state directory")
    }

    fn only_record(state: &State) -> OsString {
        let mut names = state.records().expect("a list");
        assert_eq!(names.len(), 1, "{names:?}");
        names.remove(0)
    }

    #[test]
    fn what_a_process_left_is_known_when_it_is_dead_and_not_before() {
        let parent = tempfile::tempdir().expect("a directory");
        let state = state(&parent);
        let ledger = Ledger::begin(self::state(&parent), None).expect("a record");
        let claim = |kind, name: &'static str| {
            ledger
                .claim(kind, Place::kernel(), |token| format!("{name}-{token}"))
                .expect("it is written")
        };
        let volume = claim(Kind::Volume, "volume");
        let older = claim(Kind::Container, "older");
        let mut container = claim(Kind::Container, "container");
        container.made("an-id");
        claim(Kind::Image, "image").gone();
        let unanswered = claim(Kind::Profile, "profile");
        let expected = [&container, &older, &volume, &unanswered].map(|claim| claim.thing().clone());
        for thing in &expected {
            assert_eq!(thing.token.len(), 32);
            assert!(thing.name.ends_with(&thing.token));
        }
        let name = only_record(&state);
        assert!(state.left(&name).expect("no error").is_none(), "its owner lives");

        drop((volume, older, container, unanswered, ledger));
        let mut left = state.left(&name).expect("no error").expect("its owner is dead");
        assert_eq!(left.pid(), std::process::id());
        let things = left.things();
        assert!(
            things.iter().map(|(_, thing)| thing).eq(&expected),
            "containers first, and the last of them: {things:?}"
        );
        assert!(left.settled(&things[0].1));
        assert!(!left.settled(&things[1].1), "its owner died a moment ago");
        assert!(state.left(&name).expect("no error").is_none(), "one at a time");
        for (number, _) in &things[..3] {
            left.done(*number);
        }
        assert!(!left.close().expect("no error"), "the profile is left");
        let mut left = state.left(&name).expect("no error").expect("it is there");
        assert_eq!(left.things(), things[3..]);
        left.done(things[3].0);
        assert!(left.close().expect("no error"));
        assert!(state.records().expect("a list").is_empty());
    }

    #[test]
    fn a_record_in_which_nothing_is_left_does_not_grow_and_goes() {
        let parent = tempfile::tempdir().expect("a directory");
        let state = state(&parent);
        let ledger = Ledger::begin(self::state(&parent), None).expect("a record");
        let name = only_record(&state);
        let length = || {
            std::fs::metadata(state.path_of(&name))
                .expect("it is there")
                .len()
        };
        let before = length();
        for _ in 0..100 {
            let mut claim = ledger
                .claim(Kind::Container, Place::kernel(), str::to_owned)
                .expect("it is written");
            claim.made("an-id");
            assert!(length() > before);
            claim.gone();
        }
        assert_eq!(length(), before);
        ledger.end();
        assert!(state.records().expect("a list").is_empty());
    }

    #[test]
    fn an_owner_that_died_before_its_first_line_left_nothing() {
        let parent = tempfile::tempdir().expect("a directory");
        let state = state(&parent);
        for text in ["", "{\"own"] {
            std::fs::write(parent.path().join("x.owned"), text).expect("a file");
            let left = state
                .left("x.owned".as_ref())
                .expect("no error")
                .expect("it is dead");
            assert!(left.things().is_empty());
            assert!(left.close().expect("no error"));
        }
    }

    #[test]
    fn what_slim_does_not_write_is_refused_with_its_line() {
        let owner = r#"{"owner":{"boot":"b","pid":1,"start":2,"pid_namespace":3}}"#;
        let token = "0".repeat(32);
        let making = |number: u32, name: &str, token: &str| {
            format!(
                r#"{{"making":{{"number":{number},"thing":{{"kind":"container","name":"{name}","token":"{token}","place":"kernel"}}}}}}"#
            )
        };
        let good = making(0, "name", &token);
        for (line, text) in [
            (1, good.clone()),
            (2, format!("{owner}\n{owner}")),
            (2, format!("{owner}\nnonsense")),
            (2, format!("{owner}\n{}", making(0, "name", "short"))),
            (2, format!("{owner}\n{}", making(0, "a name", &token))),
            (2, format!("{owner}\n{}", making(0, "", &token))),
            (2, format!("{owner}\n{}", making(0, &"n".repeat(513), &token))),
            (3, format!("{owner}\n{good}\n{good}")),
            (2, format!("{owner}\n{{\"gone\":{{\"number\":0}}}}")),
            (2, format!("{owner}\n{{\"made\":{{\"number\":0,\"id\":\"x\"}}}}")),
            (
                3,
                format!("{owner}\n{good}\n{{\"made\":{{\"number\":0,\"id\":\"\"}}}}"),
            ),
            (
                2,
                format!("{owner}\n{}", good.replace("\"kind\"", "\"more\":1,\"kind\"")),
            ),
            (2, format!("{owner}\n{}", good.replace("container", "host"))),
        ] {
            let result = parse(format!("{text}\n").as_bytes());
            assert_eq!(result.expect_err(&text).0, line, "{text}");
        }
        let (_, things) = parse(format!("{owner}\n{good}\n").as_bytes()).expect("this is one");
        assert_eq!(things.len(), 1);
    }

    fn things() -> impl Strategy<Value = Vec<(Thing, Option<String>, bool)>> {
        let kind = prop_oneof![
            Just(Kind::Container),
            Just(Kind::Volume),
            Just(Kind::Image),
            Just(Kind::Profile)
        ];
        let thing =
            (kind, "[!-~]{1,40}", "[0-9a-f]{32}", "[a-z]{0,9}").prop_map(|(kind, name, token, place)| {
                Thing {
                    kind,
                    name,
                    token,
                    place: Place(place.into()),
                    id: None,
                }
            });
        prop::collection::vec((thing, prop::option::of("[!-~]{1,80}"), any::<bool>()), 0..6)
    }

    proptest! {
        #[test]
        fn a_record_cut_anywhere_says_what_its_whole_lines_say(list in things(), cut in 0.0..1.0f64) {
            let mut lines = vec![Line::Owner(Owner::current()).bytes()];
            for (number, (thing, id, gone)) in (0..).zip(&list) {
                lines.push(Line::Making { number, thing: thing.clone() }.bytes());
                if let Some(id) = id {
                    lines.push(Line::Made { number, id: id.clone() }.bytes());
                }
                if *gone {
                    lines.push(Line::Gone { number }.bytes());
                }
            }
            let bytes = lines.concat();
            let (_, all) = parse(&bytes).expect("all of it is well-formed");
            let expected = list.iter().filter(|(_, _, gone)| !gone);
            prop_assert!(all.values().map(|thing| (&thing.name, &thing.id)).eq(
                expected.map(|(thing, id, _)| (&thing.name, id))
            ));
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
            let end = (bytes.len() as f64 * cut) as usize;
            let whole = bytes[..end].iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
            let (_, shortened) = parse(&bytes[..end]).expect("a line that is cut says nothing");
            prop_assert_eq!(shortened, parse(&bytes[..whole]).expect("whole lines").1);
        }

        #[test]
        fn any_bytes_are_a_record_or_not(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
