//! `run.sh`: the `docker run` line with all of it.

use super::given::{facts, recorded_command, recorded_options};
use super::shell::{line, word};
use super::{AppArmor, Artifact, Context, Error, Seccomp, capabilities};

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
        let plan = context.plan;
        let image = context.image_name();
        let mut out = String::from("#!/bin/sh\n");
        let mut say = |text: &str| {
            out.push_str("# ");
            out.push_str(&line(text));
            out.push('\n');
        };
        say(&format!(
            "Runs {image} with what {} was seen to need, and no more.",
            plan.reference
        ));
        say("Arguments are further options of docker run; DOCKER names another client.");
        for path in &plan.privilege_gain {
            say(&format!("needs privilege gain: {path}"));
        }

        out.push_str("set -eu\ndir=$(CDPATH='' cd -- \"$(dirname -- \"$0\")\" && pwd)\n");
        out.push_str(&apparmor(&context.profile_name()));

        let mut options: Vec<Vec<String>> = Vec::new();
        options.extend(capabilities::options(plan).chunks(2).map(<[String]>::to_vec));
        if plan.privilege_gain.is_empty() {
            options.push(vec!["--security-opt".into(), "no-new-privileges".into()]);
        }
        let facts = facts(context.recording);
        let own = facts.map(recorded_options).unwrap_or_default();
        let command = facts
            .map(|facts| recorded_command(facts, &own, &context.image.config))
            .unwrap_or_default();
        options.extend(own);

        out.push_str("exec \"${DOCKER:-docker}\" run \\\n");
        out.push_str(&format!(
            "  --security-opt \"seccomp=$dir/{}\" \\\n",
            Seccomp.file_name()
        ));
        out.push_str("  ${apparmor:+--security-opt} ${apparmor:+\"apparmor=$apparmor\"} \\\n");
        for words in options {
            let words = words
                .iter()
                .map(|w| quoted(w, "an option"))
                .collect::<Result<Vec<_>, _>>()?;
            out.push_str(&format!("  {} \\\n", words.join(" ")));
        }
        out.push_str(&format!("  \"$@\" \\\n  {}", quoted(image, "the image's name")?));
        for argument in &command {
            out.push_str(&format!(" {}", quoted(argument, "the command")?));
        }
        out.push('\n');
        Ok(out.into_bytes())
    }
}

/// Sets `$apparmor` to the profile's name if the host has loaded it; says how to where it could.
fn apparmor(name: &str) -> String {
    format!(
        r#"apparmor={name}
if ! grep -qsF "$apparmor (" /sys/kernel/security/apparmor/profiles; then
  if grep -qs Y /sys/module/apparmor/parameters/enabled; then
    echo "run.sh: AppArmor profile not loaded: apparmor_parser -r '$dir/{file}'" >&2
  fi
  apparmor=
fi
"#,
        file = AppArmor.file_name()
    )
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
