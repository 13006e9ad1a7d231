//! Log-in sessions: what a server that hands out terminals starts for the users of `/etc/passwd`.
//!
//! Such a server is known by what it imports and holds together: it listens, becomes another user, opens a terminal and
//! sets `SHELL`. Its users' shells are kept, what stands in their home directories, and the commands that every user may
//! count on: those of packages that a distribution calls essential. A user whose shell is not in `/etc/shells` cannot
//! log in.

use std::collections::BTreeSet;
use std::io;

use crate::path::{RootPath, encode};
use crate::plan::{Cause, EdgeKind};
use crate::reach::application_directory;
use crate::reach::commands;
use crate::reach::context::{Context, Place};
use crate::reach::elf::constants::Constants;
use crate::reach::resolver::{MAX_SOURCE, Needs, Node, Resolver};

/// Texts each of which a server of log-in sessions holds, and those of which it holds one.
const ALL: [&[u8]; 3] = [b"\0listen\0", b"\0initgroups\0", b"\0SHELL\0"];
const ANY: [&[u8]; 2] = [b"\0openpty\0", b"\0forkpty\0"];
/// The largest number of users that are followed.
const MAX_USERS: usize = 1000;
/// The largest number of entries of one home directory whose names are looked for, and the length of the shortest.
const MAX_NAMES: usize = 1000;
const MIN_NAME: usize = 4;
/// The first user that is a person's (`UID_MIN` in login.defs(5)).
const FIRST_USER: u32 = 1000;
/// Shells where the image has no `/etc/shells` (`getusershell(3)`).
const SHELLS: &[u8] = b"/bin/sh\n/bin/csh\n";

/// Keeps what log-in sessions need.
pub(super) struct LogIn<'a> {
    context: &'a Context<'a>,
}

impl<'a> LogIn<'a> {
    /// Returns the resolver for the image of `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self { context }
    }

    /// Keeps what stands in `home` under a name that the server holds: lists of keys, which look like secrets.
    fn keep_named(
        &self,
        needs: &mut Needs<'_>,
        server: &Constants<'_>,
        home: &RootPath,
        cause: &Cause,
    ) -> io::Result<()> {
        if !application_directory::may_be_own(self.context, home) {
            return Ok(());
        }
        let below = self.context.rootfs.below(home).take(MAX_NAMES);
        let names = below.filter_map(|(path, _)| {
            let name = path
                .as_bytes()
                .strip_prefix(home.as_bytes())?
                .strip_prefix(b"/")?;
            (name.starts_with(b".") && name.len() >= MIN_NAME).then_some(name)
        });
        for name in server.find_texts(names)? {
            needs.mark(&home.join(name), cause.clone());
        }
        Ok(())
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        let found = self.context.find_file(&RootPath::root(), path)?;
        self.context.rootfs.read(&found.path, MAX_SOURCE).ok()
    }
}

impl Resolver for LogIn<'_> {
    fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        if node.entry.mode & 0o111 == 0 {
            return Ok(());
        }
        let Some(constants) = Constants::of_node(node)? else {
            return Ok(());
        };
        let held = constants.find_texts(ALL.into_iter().chain(ANY))?;
        if !ALL.iter().all(|text| held.contains(text)) || !ANY.iter().any(|text| held.contains(text)) {
            return Ok(());
        }
        let context = self.context;
        let log_in = |uid: &[u8]| {
            str::from_utf8(uid).is_ok_and(|uid| uid.parse().is_ok_and(|uid: u32| uid >= FIRST_USER))
        };
        let (root, place) = (RootPath::root(), Place::in_file(node.path));
        let shells = self.read("/etc/shells").unwrap_or_else(|| SHELLS.to_vec());
        let shells: BTreeSet<&[u8]> = shells.split(|&b| b == b'\n').map(<[u8]>::trim_ascii).collect();
        let users = self.read("/etc/passwd").unwrap_or_default();
        let mut sessions = false;
        for user in users.split(|&b| b == b'\n').take(MAX_USERS) {
            let fields: Vec<&[u8]> = user.split(|&b| b == b':').collect();
            let [name, _, uid, _, _, home, shell] = fields[..] else {
                continue;
            };
            let cause = place.cause(EdgeKind::User, &encode(name));
            // No shell is the Bourne shell (passwd(5)).
            let shell = if shell.is_empty() { b"/bin/sh" } else { shell };
            let shell = context.find_file(&root, shell).filter(|_| shells.contains(shell));
            if let Some(shell) = &shell {
                sessions = true;
                needs.follow(shell, &cause);
            }
            // Files may be served to one who may not run a shell.
            if (shell.is_some() || log_in(uid))
                && let Some(home) = context.find_directory(&root, home)
            {
                needs.follow(&home, &cause);
                application_directory::keep(context, needs, &home.path, &cause);
                self.keep_named(needs, &constants, &home.path, &cause)?;
            }
        }
        if sessions {
            let cause = place.cause(EdgeKind::User, "commands of log-in sessions");
            let server = context.packages.owner(node.path);
            let beside = server
                .into_iter()
                .flat_map(|server| context.packages.dependencies(server));
            commands::keep_utilities(context, needs, &cause);
            commands::keep_of_packages(context, needs, server.into_iter().chain(beside), &cause);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::image::memory::tree;
    use crate::reach::elf::parse::{Elf, tests::write_with};
    use crate::reach::tests::{image, names, reached, used};

    /// Returns what a program with these constants keeps.
    fn kept(constants: &[u8]) -> Vec<String> {
        let elf = Elf {
            is_64: true,
            machine: 62,
            needed: vec![b"libx.so".to_vec()],
            ..Elf::default()
        };
        let (server, tool) = (write_with(&elf, constants), write_with(&elf, b""));
        let items: &[(&str, &[u8])] = &[
            ("/opt/server", &server),
            ("/bin", b"-> usr/bin"),
            ("/usr/bin/bash", &tool),
            ("/usr/bin/zsh", &tool),
            ("/usr/bin/ls", &tool),
            ("/usr/bin/other", &tool),
            ("/usr/bin/copy", &tool),
            ("/usr/bin/server-keys", &tool),
            ("/usr/bin/wc", &tool),
            ("/usr/bin/dpkg", &tool),
            ("/home/ann/.profile", b""),
            ("/home/ann/.ssh/id_rsa", b""),
            ("/home/ann/.ssh/authorized_keys", b""),
            ("/home/drop/in/", b""),
            ("/srv/data/x", b""),
            ("/etc/shells", b"# shells\n/bin/bash\n"),
            (
                "/etc/passwd",
                b"ann:x:1:1::/home/ann:/bin/bash\nbob:x:2:2::/srv/data:/bin/zsh\n\
                  drop:x:1000:1::/home/drop:/none\nbroken\n",
            ),
            (
                "/var/lib/dpkg/status",
                b"Package: coreutils\nEssential: yes\nStatus: install ok installed\n\n\
                  Package: server\nStatus: install ok installed\nDepends: copy (>= 2), none\n\n\
                  Package: copy\nStatus: install ok installed\n\n\
                  Package: other\nStatus: install ok installed\n",
            ),
            (
                "/var/lib/dpkg/info/coreutils.list",
                b"/bin/ls\n/bin/dpkg\n/etc/shells\n",
            ),
            ("/var/lib/dpkg/info/other.list", b"/usr/bin/other\n"),
            (
                "/var/lib/dpkg/info/server.list",
                b"/opt/server\n/usr/bin/server-keys\n",
            ),
            ("/var/lib/dpkg/info/copy.list", b"/usr/bin/copy\n"),
        ];
        let mut kept = names(&reached(
            &image(tree(items), json!({})),
            vec![used("/opt/server")],
        ));
        kept.retain(|path| {
            ["/usr/bin/", "/home/", "/srv"]
                .iter()
                .any(|above| path.starts_with(above))
        });
        kept
    }

    #[test]
    fn a_server_of_sessions_brings_shells_homes_and_essential_commands() {
        assert_eq!(
            kept(b"\0listen\0initgroups\0openpty\0\0SHELL\0.ssh/authorized_keys\0"),
            [
                "/home/ann",
                "/home/ann/.profile",
                "/home/ann/.ssh",
                "/home/ann/.ssh/authorized_keys",
                "/home/drop",
                "/home/drop/in",
                "/usr/bin/bash",
                "/usr/bin/copy",
                "/usr/bin/ls",
                "/usr/bin/server-keys",
                "/usr/bin/wc"
            ]
        );
    }

    #[test]
    fn one_that_opens_no_terminal_or_listens_to_nobody_brings_none() {
        assert_eq!(kept(b"\0listen\0initgroups\0\0SHELL\0"), Vec::<String>::new());
        assert_eq!(kept(b"\0initgroups\0openpty\0\0SHELL\0"), Vec::<String>::new());
    }
}
