//! Credentials for registries, where docker's own command line keeps them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::auth::DockerCredentials;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;

use super::address::read_json;
use crate::engine::Error;
use crate::image::Reference;

/// The name under which the command line keeps Docker Hub's credentials.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// Time that a helper may take: one that waits for a person must not hold slim up for ever.
const HELPER: Duration = Duration::from_secs(30);

/// The parts of docker's `config.json` that are about credentials.
#[derive(Debug, Default, Deserialize)]
struct ConfigFile {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
    #[serde(rename = "credsStore", default)]
    store: String,
    #[serde(rename = "credHelpers", default)]
    helpers: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
struct Auth {
    /// Base64 of `USER:PASSWORD`.
    #[serde(default)]
    auth: String,
    #[serde(rename = "identitytoken", default)]
    identity_token: String,
}

/// The answer of a helper.
///
/// Source: docker/docker-credential-helpers, "Usage".
#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Username")]
    user: String,
    #[serde(rename = "Secret")]
    secret: String,
}

/// Returns the name under which credentials for the registry of `reference` are filed.
fn server(reference: &Reference) -> &str {
    match reference.registry() {
        None | Some("docker.io" | "index.docker.io") => DOCKER_HUB,
        Some(host) => host,
    }
}

/// The credentials for the registry of `reference`, if `directory/config.json` has some.
///
/// # Errors
/// The file is there and cannot be read.
pub(super) async fn find(
    directory: &Path,
    reference: &Reference,
) -> Result<Option<DockerCredentials>, Error> {
    let config: ConfigFile = read_json(&directory.join("config.json"))?.unwrap_or_default();
    let server = server(reference);
    let helper = config.helpers.get(server).unwrap_or(&config.store);
    if !helper.is_empty() {
        return Ok(ask(helper, server).await);
    }
    // Entries may be a host, or an address with scheme and path.
    let same = |key: &str| {
        let bare = key.split_once("://").map_or(key, |(_, rest)| rest);
        key == server || bare.split('/').next() == Some(server)
    };
    Ok(config
        .auths
        .iter()
        .find(|(key, _)| same(key))
        .and_then(|(_, auth)| stored(auth, server)))
}

fn stored(auth: &Auth, server: &str) -> Option<DockerCredentials> {
    if !auth.identity_token.is_empty() {
        return Some(token(&auth.identity_token, server));
    }
    let text = String::from_utf8(STANDARD.decode(auth.auth.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(basic(user, password.trim_end_matches('\0'), server))
}

/// Asks `docker-credential-HELPER`; none if it has none or fails.
async fn ask(helper: &str, server: &str) -> Option<DockerCredentials> {
    let harmless = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if !helper.bytes().all(harmless) {
        tracing::warn!("{helper:?} is not the name of a credential helper");
        return None;
    }
    let work = async {
        let mut child = tokio::process::Command::new(format!("docker-credential-{helper}"))
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(server.as_bytes()).await?;
        }
        child.wait_with_output().await
    };
    let output = match tokio::time::timeout(HELPER, work).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => {
            tracing::warn!("docker-credential-{helper}: {error}; going on without credentials");
            return None;
        }
        Err(_) => {
            tracing::warn!("docker-credential-{helper} does not answer; going on without credentials");
            return None;
        }
    };
    // Without credentials it says so and fails, which is no fault.
    let answer: Answer = serde_json::from_slice(&output.stdout)
        .ok()
        .filter(|_| output.status.success())?;
    Some(match answer.user.as_str() {
        "<token>" => token(&answer.secret, server),
        user => basic(user, &answer.secret, server),
    })
}

fn token(token: &str, server: &str) -> DockerCredentials {
    DockerCredentials {
        identitytoken: Some(token.to_owned()),
        serveraddress: Some(server.to_owned()),
        ..DockerCredentials::default()
    }
}

fn basic(user: &str, password: &str, server: &str) -> DockerCredentials {
    DockerCredentials {
        username: Some(user.to_owned()),
        password: Some(password.to_owned()),
        serveraddress: Some(server.to_owned()),
        ..DockerCredentials::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Reference {
        text.parse().expect("a name")
    }

    #[test]
    fn registries() {
        for (reference, host) in [
            ("nginx", DOCKER_HUB),
            ("library/nginx:1", DOCKER_HUB),
            ("docker.io/library/nginx", DOCKER_HUB),
            ("ghcr.io/a/b:1", "ghcr.io"),
            ("localhost/x", "localhost"),
            ("127.0.0.1:5000/x", "127.0.0.1:5000"),
        ] {
            assert_eq!(server(&parse(reference)), host);
        }
    }

    #[tokio::test]
    async fn credentials_are_found_where_docker_keeps_them() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(
            find(dir.path(), &parse("nginx"))
                .await
                .expect("no file is no error"),
            None
        );
        let secret = STANDARD.encode("me:pass:word");
        let text = format!(
            r#"{{"auths": {{"https://index.docker.io/v1/": {{"auth": "{secret}"}},
                 "https://ghcr.io/v2/": {{"identitytoken": "tok"}}, "broken.example": {{"auth": "!"}}}}}}"#
        );
        std::fs::write(dir.path().join("config.json"), text).expect("a file");
        let hub = find(dir.path(), &parse("nginx"))
            .await
            .expect("a file")
            .expect("credentials");
        assert_eq!(
            (hub.username.as_deref(), hub.password.as_deref()),
            (Some("me"), Some("pass:word"))
        );
        let other = find(dir.path(), &parse("ghcr.io/a"))
            .await
            .expect("a file")
            .expect("credentials");
        assert_eq!(other.identitytoken.as_deref(), Some("tok"));
        for without in ["quay.io/a", "broken.example/a"] {
            assert_eq!(find(dir.path(), &parse(without)).await.expect("a file"), None);
        }
        // A helper that is not there, or has an odd name, is no reason to fail.
        for helper in ["slim-test-nothing", "../../bin/sh"] {
            let text = format!(r#"{{"credHelpers": {{"ghcr.io": "{helper}"}}}}"#);
            std::fs::write(dir.path().join("config.json"), text).expect("a file");
            assert_eq!(find(dir.path(), &parse("ghcr.io/a")).await.expect("a file"), None);
        }
        std::fs::write(dir.path().join("config.json"), "{").expect("a file");
        assert!(find(dir.path(), &parse("nginx")).await.is_err());
    }
}
