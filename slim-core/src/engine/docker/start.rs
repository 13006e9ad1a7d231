//! Explanations of the engine's messages, with remedies.

use crate::engine::Error;

/// Returns the reason why a container did not start, from the engine's message, which is kept.
pub(super) fn explain(message: &str) -> Error {
    let message = shorten(message);
    let has = |text: &str| message.contains(text);
    let (what, advice) = if has("executable file not found")
        || (has("exec: ") && has("no such file or directory"))
    {
        (
            "its entrypoint or command is not in the image",
            "check ENTRYPOINT and CMD of the image, --entrypoint and the command after --",
        )
    } else if has("unable to apply caps") || has("operation not permitted: unknown") && has("caps") {
        (
            "the engine cannot give it the capabilities that were asked for",
            "this machine lacks one of them: name those that are needed instead of --cap-add ALL",
        )
    } else if has("exec format error") {
        (
            "its program is for another architecture, or a script without #! line",
            "check the image's platform and the entrypoint's first line",
        )
    } else if has("permission denied") && has("exec: ") {
        (
            "its entrypoint is not executable",
            "check the file's mode, and that it is not a directory",
        )
    } else if has("address already in use") || has("port is already allocated") {
        (
            "a published port is in use on this machine",
            "end what listens there, or publish another port (--publish PORT alone takes a free one)",
        )
    } else if has("unable to find user")
        || has("unable to find group")
        || has("no matching entries in passwd")
    {
        (
            "its user is not in the image's /etc/passwd or /etc/group",
            "use a numeric --user UID:GID, or one that the image has",
        )
    } else if has("not a directory") && has("mount") {
        (
            "a mount's source and target are not of one kind",
            "a directory cannot be mounted onto a file; check --volume and --mount",
        )
    } else if has("read-only file system") {
        (
            "something has to be written where the file system is read-only",
            "mount points must exist in an image that runs with --read-only",
        )
    } else if has("network") && has("not found") {
        (
            "its network does not exist",
            "create it, or name another with --network",
        )
    } else if has("No such container") || has("cannot join") {
        (
            "the container whose namespace it is to share does not exist or does not run",
            "check the name in container:NAME of --network, --pid and --ipc, and start that container first",
        )
    } else if has("cannot allocate memory") || has("no space left on device") {
        ("the machine is out of memory or disk", "free some and try again")
    } else {
        return Error::Refused {
            action: "start the container".to_owned(),
            message,
        };
    };
    Error::Start {
        what: what.to_owned(),
        advice: advice.to_owned(),
        message,
    }
}

/// Takes the layers of "failed to" off the engine's messages.
pub(super) fn shorten(message: &str) -> String {
    let mut text = message.trim();
    for prefix in [
        "failed to create task for container: ",
        "failed to create shim task: ",
        "OCI runtime create failed: ",
        "OCI runtime exec failed: ",
        "runc create failed: ",
        "unable to start container process: ",
        "exec failed: ",
        "unable to start container process: ",
    ] {
        text = text.strip_prefix(prefix).unwrap_or(text);
    }
    text.strip_suffix(": unknown").unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_failures_have_names() {
        let runc = "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: ";
        let cases = [
            format!("{runc}exec: \"nope\": executable file not found in $PATH: unknown"),
            format!("{runc}exec: \"/nope\": stat /nope: no such file or directory: unknown"),
            format!("{runc}exec: \"/bin\": permission denied: unknown"),
            format!("{runc}unable to apply caps: operation not permitted: unknown"),
            format!("{runc}exec /x: exec format error: unknown"),
            "driver failed programming external connectivity on endpoint x: listen tcp4 0.0.0.0:80: bind: address already in use".to_owned(),
            "unable to find user nobody: no matching entries in passwd file".to_owned(),
            "network xyz not found".to_owned(),
            "No such container: nosuch".to_owned(),
            "cannot join network of a non running container: 12ab".to_owned(),
            "something new".to_owned(),
        ];
        let text: Vec<String> = cases.iter().map(|c| explain(c).to_string()).collect();
        insta::assert_snapshot!(text.join("\n"));
    }
}
