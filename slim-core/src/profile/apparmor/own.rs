//! Recognition of profiles as slim writes them: a profile in a directory from elsewhere is loaded into this host's
//! kernel by `apparmor_parser`, which would take any policy.

use super::PID;

/// A text is no profile as slim writes them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line} is not as slim writes it ({found:?}): a text that may hold other policy is not loaded; slim generate \
     makes the profile anew"
)]
pub struct NotOwn {
    /// The line, from 1.
    pub line: usize,
    /// The text found.
    pub found: String,
}

/// Returns `text`, which slim wrote as the profile `own`, as a profile of the name `name` without its comments.
///
/// It is one profile, attached to no program, that includes no file, changes to no other profile, and holds rules of the
/// forms that slim writes alone.
///
/// # Errors
/// [`NotOwn`] with the first line that is not as slim writes it.
pub fn renamed(text: &str, own: &str, name: &str) -> Result<String, NotOwn> {
    let mut out = String::new();
    let mut place = Place::Before;
    for (index, line) in text.lines().enumerate() {
        let not_own = || NotOwn {
            line: index + 1,
            found: line.to_owned(),
        };
        let comment = line.trim_start().starts_with("# ") && !line.contains(|c: char| c.is_control());
        match place {
            _ if comment => continue,
            Place::Before if line == PID => out.push_str(line),
            Place::Before => {
                let flags = line
                    .strip_prefix("profile ")
                    .and_then(|rest| rest.strip_prefix(own))
                    .and_then(|rest| rest.strip_prefix(" flags=("))
                    .and_then(|rest| rest.strip_suffix("attach_disconnected,mediate_deleted) {"))
                    .filter(|mode| matches!(*mode, "" | "complain,"))
                    .ok_or_else(not_own)?;
                out.push_str(&format!(
                    "profile {name} flags=({flags}attach_disconnected,mediate_deleted) {{"
                ));
                place = Place::Inside;
            }
            Place::Inside if line == "}" => {
                out.push('}');
                place = Place::After;
            }
            Place::Inside => {
                let rule = line.strip_prefix("  ").and_then(|rule| rule.strip_suffix(','));
                let rule = rule
                    .and_then(|rule| renamed_rule(rule, own, name))
                    .ok_or_else(not_own)?;
                out.push_str(&format!("  {rule},"));
            }
            Place::After => return Err(not_own()),
        }
        out.push('\n');
    }
    if place == Place::After {
        Ok(out)
    } else {
        Err(NotOwn {
            line: text.lines().count() + 1,
            found: String::new(),
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Before,
    Inside,
    After,
}

/// A rule with the profile's own name replaced; none if slim writes no such rule.
fn renamed_rule(rule: &str, own: &str, name: &str) -> Option<String> {
    let plain = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
    };
    let words = |text: &str| text.split(' ').all(plain);
    if let Some((pattern, letters)) = rule.strip_prefix('"').and_then(|rest| rest.split_once("\" ")) {
        let permissions = letters.strip_suffix("ix").unwrap_or(letters);
        let known = !letters.is_empty() && permissions.bytes().all(|b| b"mrawkl".contains(&b));
        return (known && is_pattern(pattern)).then(|| rule.to_owned());
    }
    if matches!(rule, "mount" | "umount" | "pivot_root") {
        return Some(rule.to_owned());
    }
    let (kind, rest) = rule.split_once(' ')?;
    if matches!(kind, "capability" | "network") {
        return words(rest).then(|| rule.to_owned());
    }
    if !matches!(kind, "signal" | "ptrace" | "unix") {
        return None;
    }
    // KIND (WORD, WORD)[ type=WORD][ peer=…]
    let (access, rest) = rest.strip_prefix('(')?.split_once(')')?;
    if !access.split(", ").all(plain) {
        return None;
    }
    let (before, peer) = match rest.split_once(" peer=") {
        Some((before, peer)) => (before, Some(peer)),
        None => (rest, None),
    };
    if !before.is_empty() && !before.strip_prefix(" type=").is_some_and(plain) {
        return None;
    }
    let peer = match peer {
        None => String::new(),
        Some(peer) if peer == own => format!(" peer={name}"),
        Some(peer) if plain(peer) => format!(" peer={peer}"),
        Some(peer) => {
            let (what, value) = peer.strip_prefix('(')?.strip_suffix(')')?.split_once('=')?;
            match what {
                "label" if value == own => format!(" peer=(label={name})"),
                "addr" if is_pattern(value.strip_prefix("\"@")?.strip_suffix('"')?) => {
                    format!(" peer={peer}")
                }
                _ => return None,
            }
        }
    };
    Some(format!("{kind} ({access}){before}{peer}"))
}

/// Returns whether it may stand between quotes: the plainest bytes, octal ones, and patterns.
fn is_pattern(text: &str) -> bool {
    let text = text.replace("@{pid}", "");
    text.bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"/._-+=:~%\\*[]{},".contains(&b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::path::RootPath;

    const OWN: &str = "profile slim-app flags=(attach_disconnected,mediate_deleted) {\n  capability chown,\n  \
        unix (connect, send, receive) type=stream peer=(label=slim-app),\n  signal (send, receive) peer=slim-app,\n  \
        signal (receive) peer=unconfined,\n  \"/srv/**\" rix,\n}\n";

    #[test]
    fn the_name_is_replaced_wherever_it_stands() {
        let renamed = renamed(OWN, "slim-app", "other").unwrap();
        assert_eq!(renamed, OWN.replace("slim-app", "other"));
    }

    #[test]
    fn no_other_policy_gets_by() {
        let header = "profile slim-app flags=(attach_disconnected,mediate_deleted) {\n";
        for attack in [
            // Attached to the host's programs, by path or by another flag.
            OWN.replace("slim-app flags", "slim-app /usr/bin/** flags"),
            OWN.replace("profile slim-app", "/usr/bin/sudo"),
            OWN.replace("(attach_", "(unconfined,attach_"),
            // Another profile beside it, below it, before it, or in its place.
            format!("{OWN}profile docker-default {{ }}\n"),
            format!("profile docker-default {{ }}\n{OWN}"),
            OWN.replace("  capability", "  profile child { }\n  capability"),
            OWN.replace("  capability", "  ^hat { }\n  capability"),
            OWN.replace("profile slim-app", "profile docker-default"),
            format!("{header}}} profile docker-default {{\n}}\n"),
            // Files of the host.
            OWN.replace("  capability", "  include </etc/shadow>\n  capability"),
            OWN.replace("  capability", "  #include </etc/shadow>\n  capability"),
            format!("#include <tunables/global>\n{OWN}"),
            format!("include if exists \"/etc/x\"\n{OWN}"),
            // Rules that slim never writes.
            OWN.replace("capability chown,", "change_profile -> unconfined,"),
            OWN.replace("capability chown,", "capability,"),
            OWN.replace("rix", "ux"),
            OWN.replace("rix", "rpx -> unconfined"),
            OWN.replace("\"/srv/**\" rix", "\"/a\" r, /b\" ux"),
            OWN.replace("/srv/**", "/srv\\\" ux, \\\""),
            OWN.replace("/srv/**", "@{HOME}/**"),
            OWN.replace("chown", "chown, } profile x {"),
            OWN.replace("(label=slim-app)", "(label=docker-default)"),
            // Tokens that are one line to one reader and two to another.
            format!("# a\rprofile x {{ }}\n{OWN}"),
            OWN.replace("  capability chown,", "  capability\tchown,"),
            "@{exec}=/usr/bin/*\n".to_owned() + OWN,
            // Not a whole one.
            OWN.trim_end_matches("}\n").to_owned(),
            String::new(),
        ] {
            assert!(renamed(&attack, "slim-app", "other").is_err(), "{attack}");
        }
    }

    proptest! {
        /// Whatever a recording holds, what slim writes of it is taken for its own.
        #[test]
        fn every_profile_of_slims_is_its_own(
            names in proptest::collection::vec(proptest::collection::vec(1u8..=255, 1..40), 1..30),
            address in "@[^\\x00]{0,20}",
            kind in "[a-z0-9]{0,9}",
        ) {
            let paths: Vec<RootPath> = names.iter().map(RootPath::new).filter(|path| !path.is_root()).collect();
            let text = crate::profile::tests::recorded_profile(&paths, &address, &kind);
            let own = text.lines().find_map(|line| line.strip_prefix("profile ")?.split(' ').next()).unwrap();
            let again = renamed(&text, own, own);
            let bare: String = text.lines().filter(|l| !l.trim_start().starts_with('#')).map(|l| format!("{l}\n")).collect();
            prop_assert_eq!(again, Ok(bare));
        }
    }
}
