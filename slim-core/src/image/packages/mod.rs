//! The distribution's packages, and the files that belong to each.
//!
//! Read from the databases in the image: dpkg (`/var/lib/dpkg`, and `status.d` of distroless images), apk
//! (`/lib/apk/db/installed`) and rpm (`rpmdb.sqlite`; its older formats are noted and not read). A database names paths
//! as the package was built; where a directory has become a link since (`/bin` to `/usr/bin`), the name is followed to
//! where the file is.
//!
//! Source: `dpkg-query(1)`, `deb-control(5)`; Alpine Package Keeper, "Installed database"; `rpm.rs` and `sqlite.rs`.

mod rpm;
mod sqlite;

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{LastLink, Rootfs};
use crate::path::RootPath;

/// Number of bytes of one document, of all, and of the paths in them at most. No real database comes near these.
const MAX_DOCUMENT: u64 = 64 << 20;
const MAX_BYTES: u64 = 512 << 20;
/// Number of bytes of rpm's database at most: it has all packages.
const MAX_RPM: u64 = 256 << 20;
const MAX_PATHS: usize = 4 << 20;
/// Number of bytes of their names together.
const MAX_NAMED: usize = 512 << 20;

/// The paths of rpm's database: Fedora since 36 and SUSE, others, and rpm-ostree.
const RPM: [&str; 3] = ["/usr/lib/sysimage/rpm", "/var/lib/rpm", "/usr/share/rpm"];
/// Its older formats: Berkeley DB, and ndb.
const RPM_OLD: [&str; 2] = ["Packages", "Packages.db"];

/// The owners of an image's files.
#[derive(Clone, Debug, Default)]
pub struct Packages {
    /// The names, sorted.
    names: Vec<String>,
    owners: HashMap<RootPath, u32>,
    /// The files of each, sorted.
    files: Vec<Vec<RootPath>>,
    /// The directories that packages made.
    made: HashSet<RootPath>,
    /// Names of packages that every session may count on.
    essential: BTreeSet<String>,
    /// The names that each package says it depends on.
    dependencies: HashMap<String, BTreeSet<String>>,
    /// Notes on databases that could not be read.
    notes: Vec<String>,
}

/// Reads the databases of `rootfs`. What is missing or malformed in them owns nothing; of what could not be read as a
/// whole there is a note.
pub fn owners(rootfs: &Rootfs) -> Packages {
    let mut reader = Reader {
        rootfs,
        budget: MAX_BYTES,
        paths: 0,
        named: 0,
        directories: HashMap::new(),
        found: Vec::new(),
        made: HashSet::new(),
        essential: BTreeSet::new(),
        dependencies: HashMap::new(),
        notes: Vec::new(),
    };
    reader.dpkg();
    reader.distroless();
    reader.apk();
    reader.rpm();
    let names: BTreeSet<String> = reader.found.iter().map(|(name, _)| name.clone()).collect();
    let names: Vec<String> = names.into_iter().collect();
    let mut owners: HashMap<RootPath, u32> = HashMap::new();
    let mut files = vec![Vec::new(); names.len()];
    for (name, paths) in std::mem::take(&mut reader.found) {
        let Ok(number) = names.binary_search(&name) else {
            continue;
        };
        files[number].extend_from_slice(&paths);
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        for path in paths {
            // Of several owners, the first by name.
            let owner = owners.entry(path).or_insert(number);
            *owner = number.min(*owner);
        }
    }
    for files in &mut files {
        files.sort();
        files.dedup();
    }
    Packages {
        names,
        owners,
        files,
        made: reader.made,
        essential: reader.essential,
        dependencies: reader.dependencies,
        notes: reader.notes,
    }
}

impl Packages {
    /// The package that the file at `path` belongs to. Directories belong to none.
    pub fn owner(&self, path: &RootPath) -> Option<&str> {
        let number = *self.owners.get(path)?;
        self.names.get(usize::try_from(number).ok()?).map(String::as_str)
    }

    /// Returns notes for the user on databases that could not be read.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Returns true if a package has the directory at `path`; its content need not be the package's.
    pub fn made(&self, path: &RootPath) -> bool {
        self.made.contains(path)
    }

    /// The names of the packages whose commands every user may count on (`Essential: yes` in `deb-control(5)`), sorted.
    pub fn essential(&self) -> impl Iterator<Item = &str> {
        self.essential.iter().map(String::as_str)
    }

    /// The names that the package `name` depends on, alternatives included, sorted; not all need be packages of the image.
    /// What rpm requires is not read.
    pub fn dependencies(&self, name: &str) -> impl Iterator<Item = &str> {
        self.dependencies
            .get(name)
            .into_iter()
            .flatten()
            .map(String::as_str)
    }

    /// The names of all packages, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The files of the package `name` that the image has, sorted; none if it has no such package.
    pub fn files(&self, name: &str) -> Option<&[RootPath]> {
        let number = self
            .names
            .binary_search_by(|other| other.as_str().cmp(name))
            .ok()?;
        self.files.get(number).map(Vec::as_slice)
    }

    /// Returns the number of packages that have a file among `paths`.
    pub fn count<'a>(&self, paths: impl IntoIterator<Item = &'a RootPath>) -> u64 {
        let owners: BTreeSet<u32> = paths
            .into_iter()
            .filter_map(|path| self.owners.get(path).copied())
            .collect();
        owners.len() as u64
    }
}

struct Reader<'a> {
    rootfs: &'a Rootfs,
    budget: u64,
    paths: usize,
    /// Number of bytes of the names so far.
    named: usize,
    /// The resolved directories by name; many files share one.
    directories: HashMap<Vec<u8>, RootPath>,
    found: Vec<(String, Vec<RootPath>)>,
    made: HashSet<RootPath>,
    essential: BTreeSet<String>,
    dependencies: HashMap<String, BTreeSet<String>>,
    notes: Vec<String>,
}

impl Reader<'_> {
    fn read(&mut self, path: &RootPath) -> Option<Vec<u8>> {
        self.read_up_to(path, MAX_DOCUMENT)
    }

    fn read_up_to(&mut self, path: &RootPath, limit: u64) -> Option<Vec<u8>> {
        let path = self.rootfs.resolve(path, LastLink::Follow).path;
        let size = self.rootfs.get(&path)?.size();
        if size > limit || size > self.budget {
            return None;
        }
        self.budget -= size;
        self.rootfs.read(&path, size).ok()
    }

    /// The file that a database's name leads to, if the image has it. A directory is remembered as made.
    fn file(&mut self, name: &[u8]) -> Option<RootPath> {
        if self.paths >= MAX_PATHS {
            return None;
        }
        self.paths += 1;
        let slash = name.iter().rposition(|&b| b == b'/');
        let (directory, last) = match slash {
            Some(slash) => (&name[..slash], &name[slash + 1..]),
            None => (b"".as_slice(), name),
        };
        if last.is_empty() || last == b"." || last == b".." {
            return None;
        }
        let rootfs = self.rootfs;
        let directory = match self.directories.get(directory) {
            Some(real) => real,
            None => {
                let real = rootfs.resolve(&RootPath::new(directory), LastLink::Follow).path;
                self.directories.entry(directory.to_vec()).or_insert(real)
            }
        };
        let path = directory.join(last);
        if rootfs.get(&path)?.is_dir() {
            self.made.insert(path);
            return None;
        }
        Some(path)
    }

    fn add(&mut self, package: &[u8], names: impl IntoIterator<Item = impl AsRef<[u8]>>) {
        let mut paths = Vec::new();
        for name in names {
            self.named += name.as_ref().len();
            if self.named > MAX_NAMED {
                break;
            }
            paths.extend(self.file(name.as_ref()));
        }
        let package = crate::path::encode(package).into_owned();
        self.found.push((package, paths));
    }

    /// The names of a directory's files, as (path, name).
    fn names(&self, directory: &str) -> Vec<(RootPath, Vec<u8>)> {
        let directory = self
            .rootfs
            .resolve(&RootPath::new(directory), LastLink::Follow)
            .path;
        self.rootfs
            .children(&directory)
            .filter_map(|(path, _)| Some((path.clone(), path.name()?.to_vec())))
            .collect()
    }

    fn dpkg(&mut self) {
        let Some(status) = self.read(&"/var/lib/dpkg/status".into()) else {
            return;
        };
        let installed: BTreeSet<&[u8]> = stanzas(&status)
            .filter(|stanza| field(stanza, b"Status").is_some_and(|status| status.ends_with(b" installed")))
            .filter_map(|stanza| field(stanza, b"Package"))
            .collect();
        let essential = stanzas(&status).filter(|stanza| field(stanza, b"Essential") == Some(b"yes"));
        let essential = essential.filter_map(|stanza| field(stanza, b"Package"));
        self.essential = essential
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect();
        for stanza in stanzas(&status) {
            let Some(package) = field(stanza, b"Package").filter(|name| installed.contains(name)) else {
                continue;
            };
            let fields = [b"Pre-Depends".as_slice(), b"Depends"];
            let named = fields.into_iter().filter_map(|name| field(stanza, name));
            let named = named.flat_map(|value| value.split(|b| b",|".contains(b)));
            self.add_dependencies(package, named);
        }
        for (path, name) in self.names("/var/lib/dpkg/info") {
            let Some(name) = name.strip_suffix(b".list") else {
                continue;
            };
            // Packages that may be installed for several architectures have one in the name.
            let package = name.split(|&b| b == b':').next().unwrap_or(name);
            if installed.contains(package)
                && let Some(list) = self.read(&path)
            {
                self.add(package, lines(&list));
            }
        }
    }

    /// Adds what a package depends on: each a name, with an architecture or a version behind it.
    fn add_dependencies<'t>(&mut self, package: &[u8], named: impl Iterator<Item = &'t [u8]>) {
        let name = |text: &[u8]| {
            let text = text.trim_ascii();
            let end = text.iter().position(|b| b" (:<>=~".contains(b));
            crate::path::encode(&text[..end.unwrap_or(text.len())]).into_owned()
        };
        let named: BTreeSet<String> = named.map(name).filter(|name| !name.is_empty()).collect();
        self.dependencies
            .insert(crate::path::encode(package).into_owned(), named);
    }

    /// Distroless images have one status document a package, and checksums instead of lists.
    fn distroless(&mut self) {
        for (path, name) in self.names("/var/lib/dpkg/status.d") {
            if name.ends_with(b".md5sums") {
                continue;
            }
            let Some(status) = self.read(&path) else { continue };
            let Some(package) = field(&status, b"Package") else {
                continue;
            };
            let mut sums = path.as_bytes().to_vec();
            sums.extend_from_slice(b".md5sums");
            let sums = self.read(&RootPath::new(sums)).unwrap_or_default();
            // Sum, two blanks, name.
            self.add(package, lines(&sums).filter_map(|line| line.get(34..)));
        }
    }

    fn apk(&mut self) {
        let database = ["/lib/apk/db/installed", "/usr/lib/apk/db/installed"]
            .into_iter()
            .find_map(|path| self.read(&path.into()));
        for stanza in stanzas(&database.unwrap_or_default()) {
            let Some(package) = lines(stanza).find_map(|line| line.strip_prefix(b"P:")) else {
                continue;
            };
            // Conflicts (`!name`), libraries (`so:`) and commands (`cmd:`) are names of no package.
            let named = lines(stanza).filter_map(|line| line.strip_prefix(b"D:"));
            let named = named.flat_map(|names| names.split(|&b| b == b' '));
            let names_package = |name: &&[u8]| !name.iter().any(|b| b"!:".contains(b));
            self.add_dependencies(package, named.filter(names_package));
            let mut directory: &[u8] = b"";
            let mut names: Vec<Vec<u8>> = Vec::new();
            for line in lines(stanza) {
                match line {
                    [b'F', b':', name @ ..] => {
                        directory = name;
                        names.push(name.to_vec());
                    }
                    [b'R', b':', name @ ..] => names.push([directory, b"/", name].concat()),
                    _ => {}
                }
            }
            self.add(package, names);
        }
    }

    /// rpm keeps the header of each package as a row of a table. One of its directories is a link to another, or empty,
    /// where there are two.
    fn rpm(&mut self) {
        let mut seen = BTreeSet::new();
        for directory in RPM {
            let size = |rootfs: &Rootfs, name: &str| {
                let path = RootPath::new(directory).join(name);
                let file = rootfs.resolve(&path, LastLink::Follow).path;
                let size = rootfs.get(&file).map_or(0, super::Entry::size);
                (size > 0).then_some((file, size))
            };
            if let Some((path, _)) = size(self.rootfs, "rpmdb.sqlite") {
                if seen.insert(path.clone()) {
                    self.rpm_database(&path);
                }
                if let Some((log, _)) = size(self.rootfs, "rpmdb.sqlite-wal") {
                    let what = "changes that wait there are not read, so packages may be missing";
                    self.notes.push(format!("{log}: {what}"));
                }
                continue;
            }
            for (path, _) in RPM_OLD.iter().filter_map(|name| size(self.rootfs, name)) {
                if seen.insert(path.clone()) {
                    let what = "this format of rpm's database is not read, so no file has a package of it";
                    self.notes.push(format!("{path}: {what}"));
                }
            }
        }
    }

    fn rpm_database(&mut self, path: &RootPath) {
        let Some(bytes) = self.read_up_to(path, MAX_RPM) else {
            let what = "too large to be read, so no file has a package of it";
            self.notes.push(format!("{path}: {what}"));
            return;
        };
        let done = sqlite::rows(&bytes, "Packages", |columns| {
            if let [_, sqlite::Value::Bytes(header)] = columns
                && let Some(package) = rpm::package(header)
            {
                self.add(package.name, package.paths());
            }
        });
        if let Err(error) = done {
            self.notes
                .push(format!("{path}: {error}, so packages may be missing"));
        }
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&b| b == b'\n').filter(|line| !line.is_empty())
}

/// Blocks of lines between empty ones.
fn stanzas(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        while rest.first() == Some(&b'\n') {
            rest = &rest[1..];
        }
        if rest.is_empty() {
            return None;
        }
        let end = rest
            .windows(2)
            .position(|pair| pair == b"\n\n")
            .unwrap_or(rest.len());
        let (stanza, tail) = rest.split_at(end);
        rest = tail;
        Some(stanza)
    })
}

/// A field of a control stanza (`Package: bash`).
fn field<'a>(stanza: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    lines(stanza).find_map(|line| {
        let value = line.strip_prefix(name)?.strip_prefix(b":")?;
        Some(value.trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::super::rootfs::memory::tree;
    use super::*;

    /// A database of rpm 4.18, with 23 packages `tool1` to `tool24` and without `tool3`. Each owns `/usr/bin/toolN` and
    /// `/usr/share/toolN/data`; `tool7` has 120 files in the latter, so that its header takes several pages. Made by
    /// `rpmbuild`, `rpm --root --install`, `rpm --root --erase`, and SQLite's `vacuum`.
    pub(super) fn rpmdb() -> Vec<u8> {
        let mut bytes = Vec::new();
        let compressed = &include_bytes!("rpmdb.sqlite.gz")[..];
        flate2::read::GzDecoder::new(compressed)
            .read_to_end(&mut bytes)
            .unwrap();
        bytes
    }

    #[test]
    fn rpm_knows_its_files_wherever_its_database_is() {
        let database = rpmdb();
        let items: &[(&str, &[u8])] = &[
            ("/bin", b"-> usr/bin"),
            ("/usr/bin/tool1", b""),
            ("/usr/bin/tool3", b"of a package that was removed"),
            ("/usr/bin/tool24", b""),
            ("/usr/share/tool7/data/a-rather-long-name-of-a-file-120", b""),
            ("/usr/share/tool7/data/other", b""),
            ("/var/lib/rpm", b"-> ../../usr/lib/sysimage/rpm"),
            ("/usr/lib/sysimage/rpm/rpmdb.sqlite", &database),
        ];
        let packages = owners(&tree(items));
        let owner = |path: &str| packages.owner(&path.into());
        assert_eq!(owner("/usr/bin/tool1"), Some("tool1"));
        assert_eq!(owner("/usr/bin/tool3"), None);
        assert_eq!(owner("/usr/bin/tool24"), Some("tool24"));
        assert_eq!(
            owner("/usr/share/tool7/data/a-rather-long-name-of-a-file-120"),
            Some("tool7")
        );
        assert_eq!(owner("/usr/share/tool7/data/other"), None);
        assert!(packages.made(&"/usr/share/tool7/data".into()));
        assert_eq!(packages.names().count(), 23);
        assert_eq!(packages.notes(), &[] as &[String]);
    }

    #[test]
    fn what_of_rpm_is_not_read_is_said() {
        let database = rpmdb();
        let notes = |items: &[(&str, &[u8])]| owners(&tree(items)).notes.join("\n");
        insta::assert_snapshot!(notes(&[
            ("/var/lib/rpm/Packages", b"Berkeley"),
            ("/usr/lib/sysimage/rpm/Packages.db", b"RpmP"),
        ]), @r"
        /usr/lib/sysimage/rpm/Packages.db: this format of rpm's database is not read, so no file has a package of it
        /var/lib/rpm/Packages: this format of rpm's database is not read, so no file has a package of it
        ");
        insta::assert_snapshot!(notes(&[
            ("/var/lib/rpm/rpmdb.sqlite", &database[..200_000]),
            ("/var/lib/rpm/rpmdb.sqlite-wal", b"frames"),
            ("/var/lib/rpm/Packages", b"left over"),
        ]), @r"
        /var/lib/rpm/rpmdb.sqlite: it is damaged, so packages may be missing
        /var/lib/rpm/rpmdb.sqlite-wal: changes that wait there are not read, so packages may be missing
        ");
        assert_eq!(notes(&[("/var/lib/rpm/rpmdb.sqlite", b"")]), "");
    }

    #[test]
    fn dpkg_knows_its_files_behind_merged_directories() {
        let rootfs = tree(&[
            ("/bin", b"-> usr/bin"),
            ("/usr/bin/bash", b"elf"),
            ("/usr/bin/gone", b""),
            ("/usr/lib/libc.so.6", b"elf"),
            ("/lib", b"-> usr/lib"),
            (
                "/var/lib/dpkg/status",
                b"Package: bash\nEssential: yes\nStatus: install ok installed\n\nPackage: libc6\nStatus: install ok installed\n\
                  Pre-Depends: a:any (>= 1) | b, debconf\nDepends: libgcc-s1\n\n\
                  Package: old\nStatus: deinstall ok config-files\n",
            ),
            ("/var/lib/dpkg/info/bash.list", b"/.\n/bin\n/usr/bin\n/bin/bash\n/usr/share/doc/bash/missing\n"),
            ("/var/lib/dpkg/info/libc6:amd64.list", b"/lib\n/lib/libc.so.6\n"),
            ("/var/lib/dpkg/info/old.list", b"/usr/bin/gone\n"),
        ]);
        let packages = owners(&rootfs);
        assert_eq!(packages.owner(&"/usr/bin/bash".into()), Some("bash"));
        assert_eq!(packages.owner(&"/usr/lib/libc.so.6".into()), Some("libc6"));
        assert_eq!(packages.owner(&"/usr/bin/gone".into()), None);
        assert_eq!(packages.owner(&"/usr/bin".into()), None);
        assert!(packages.made(&"/usr/bin".into()) && !packages.made(&"/usr/lib".into()));
        assert_eq!(packages.count(rootfs.iter().map(|(path, _)| path)), 2);
        assert_eq!(packages.count([&"/usr/bin/bash".into()]), 1);
        assert_eq!(packages.essential().collect::<Vec<_>>(), ["bash"]);
        let needed: Vec<&str> = packages.dependencies("libc6").collect();
        assert_eq!(needed, ["a", "b", "debconf", "libgcc-s1"]);
    }

    #[test]
    fn distroless_and_apk_are_read() {
        let rootfs = tree(&[
            ("/usr/bin/tool", b""),
            ("/etc/conf", b""),
            ("/top", b""),
            ("/var/lib/dpkg/status.d/tool", b"Package: tool\nVersion: 1\n"),
            (
                "/var/lib/dpkg/status.d/tool.md5sums",
                b"d41d8cd98f00b204e9800998ecf8427e  usr/bin/tool\nshort\n",
            ),
            (
                "/lib/apk/db/installed",
                b"C:x\nP:conf\nV:1\nD:base>1 so:libc.so.1\nF:etc\nR:conf\nZ:y\n\nP:base\nF:\nR:top\n\n",
            ),
        ]);
        let packages = owners(&rootfs);
        assert_eq!(packages.dependencies("conf").collect::<Vec<_>>(), ["base"]);
        assert_eq!(packages.owner(&"/usr/bin/tool".into()), Some("tool"));
        assert_eq!(packages.owner(&"/etc/conf".into()), Some("conf"));
        assert_eq!(packages.owner(&"/top".into()), Some("base"));
        assert!(packages.made(&"/etc".into()) && !packages.made(&"/usr/bin".into()));
        assert_eq!(packages.names().collect::<Vec<_>>(), ["base", "conf", "tool"]);
        assert_eq!(packages.files("conf"), Some(&["/etc/conf".into()][..]));
        assert_eq!(packages.files("none"), None);
    }
}
