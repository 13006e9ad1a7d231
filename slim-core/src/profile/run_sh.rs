//! `run.sh`: the `docker run` line with all of it.

use super::{AppArmor, Artifact, Context, Error, Seccomp, remark};
use crate::spec::shell::{line, word};

/// The artifact `run.sh`.
#[derive(Clone, Copy, Debug)]
pub struct RunSh;

impl Artifact for RunSh {
    fn format(&self) -> &'static str {
        "run.sh"
    }

    fn description(&self) -> &'static str {
        "shell script that runs the image under all of it with docker run"
    }

    fn file_name(&self) -> &'static str {
        "run.sh"
    }

    fn executable(&self) -> bool {
        true
    }

    fn always(&self) -> bool {
        true
    }

    fn render(&self, context: &Context<'_>) -> Result<Vec<u8>, Error> {
        let launch = context.launch;
        let name = context.image_name();
        let mut out = String::from("#!/bin/sh\n");
        let mut say = |text: &str| {
            out.push_str("# ");
            out.push_str(&line(text));
            out.push('\n');
        };
        say(&format!(
            "Runs {name} with what {} was seen to need, and no more.",
            context.plan.reference
        ));
        say(
            "Arguments are further options of docker run; DOCKER names another client, IMAGE another reference.",
        );
        for path in &launch.privilege_gain {
            say(&format!("needs privilege gain: {path}"));
        }
        for option in &launch.container.not_carried {
            say(&remark::not_carried(option));
        }

        out.push_str("set -eu\ndir=$(CDPATH='' cd -- \"$(dirname -- \"$0\")\" && pwd)\n");
        out.push_str(&format!(
            "image=${{IMAGE:-{}}}\n",
            quoted(&context.digest.to_string(), "the image's digest")?
        ));
        out.push_str(&apparmor(launch.apparmor.as_deref())?);
        let names = launch.container.env.iter().map(|variable| variable.name.as_str());
        out.push_str(&unset_variables(names.filter(|name| is_identifier(name))));
        out.push_str("exec \"${DOCKER:-docker}\" run \\\n");
        if launch.seccomp {
            out.push_str(&format!(
                "  --security-opt \"seccomp=$dir/{}\" \\\n",
                Seccomp.file_name()
            ));
        }
        out.push_str("  ${apparmor:+--security-opt} ${apparmor:+\"apparmor=$apparmor\"} \\\n");
        let container = launch.to_container();
        for words in container.to_words() {
            let words = words
                .iter()
                .map(|w| quoted(w, "an option"))
                .collect::<Result<Vec<_>, _>>()?;
            out.push_str(&format!("  {} \\\n", words.join(" ")));
        }
        out.push_str("  \"$@\" \\\n  \"$image\"");
        for argument in &container.command {
            out.push_str(&format!(" {}", quoted(argument, "the command")?));
        }
        out.push('\n');
        Ok(out.into_bytes())
    }
}

/// Returns lines that name the variables of the recorded container that are not set where the script runs: their values
/// are written nowhere, and docker leaves such a variable out without a word.
fn unset_variables<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        return String::new();
    }
    format!(
        r#"for name in {names}; do
  eval "set=\${{$name+set}}"
  [ "$set" ] || echo "run.sh: the recorded container had $name: set it, or pass --env $name=VALUE" >&2
done
"#,
        names = names.join(" ")
    )
}

/// Returns whether a shell can have a variable of this name.
fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Sets `$apparmor` to the profile's name if the host has loaded it; says how to where it could.
fn apparmor(name: Option<&str>) -> Result<String, Error> {
    let Some(name) = name else {
        return Ok("apparmor=\n".to_owned());
    };
    Ok(format!(
        r#"apparmor={name}
if ! grep -qsF "$apparmor (" /sys/kernel/security/apparmor/profiles; then
  if grep -qs Y /sys/module/apparmor/parameters/enabled; then
    echo "run.sh: AppArmor profile not loaded: apparmor_parser -r '$dir/{file}'" >&2
  fi
  apparmor=
fi
"#,
        name = quoted(name, "the AppArmor profile's name")?,
        file = AppArmor.file_name()
    ))
}

fn quoted(text: &str, what: &'static str) -> Result<String, Error> {
    if text.contains('\0') {
        return Err(Error::Nul {
            what,
            text: text.to_owned(),
        });
    }
    Ok(word(text).into_owned())
}
