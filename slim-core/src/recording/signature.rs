//! Whose a recording is: a detached signature beside the file, `recording.json.sig`.
//!
//! A run's digest says that the run is whole; anybody can compute it anew. A signature says that the owner of a key
//! vouches for the file. Keys are PEM, Ed25519 or ECDSA on P-256 with SHA-256; the signature is the algorithm's own bytes
//! (as `openssl` writes them) or their base64 (as `cosign sign-blob` writes it).

use std::io::Read as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    UnparsedPublicKey, VerificationAlgorithm,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};

/// Keys and signatures are at most this long.
const MOST: u64 = 64 << 10;

/// The beginning of a SubjectPublicKeyInfo with an Ed25519 key (RFC 8410).
const ED25519_INFO: &[u8] = &[
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// The beginning of one with an uncompressed point of P-256 (RFC 5480).
const P256_INFO: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Why something could not be signed, or a signature not be verified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The file is no key of a kind that is known.
    #[error("{}: not a key that slim can use: expected {expected}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// The expected content.
        expected: &'static str,
    },
    /// There is no signature beside the file.
    #[error(
        "{}: not signed: {} is missing, so the key {} cannot vouch for it",
        path.display(), signature.display(), key.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// The path of the missing signature.
        signature: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// The signature is of another file or another key.
    #[error(
        "{}: its signature {} is not of the key {}: the file was changed, or somebody else signed it",
        path.display(), signature.display(), key.display()
    )]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Its signature.
        signature: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// The system gave no random numbers, or the key cannot sign.
    #[error("{}: cannot sign with it", key.display())]
    Sign {
        /// The key.
        key: PathBuf,
    },
}

/// Returns the path of the signature of the file `path`.
pub fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let fail = |source| Error::Io {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(fail)?;
    file.take(MOST).read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}

/// A key that vouches for recordings (`--verify-key`).
#[derive(Debug)]
pub struct PublicKey {
    path: PathBuf,
    algorithm: &'static dyn VerificationAlgorithm,
    bytes: Vec<u8>,
}

impl PublicKey {
    /// Reads a public key.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Key`].
    pub fn load(path: &Path) -> Result<Self, Error> {
        let info = SubjectPublicKeyInfoDer::from_pem_slice(&read(path)?).ok();
        let kinds: [(&[u8], usize, &'static dyn VerificationAlgorithm); 2] = [
            (ED25519_INFO, 32, &ED25519),
            (P256_INFO, 65, &ECDSA_P256_SHA256_ASN1),
        ];
        let found = kinds.into_iter().find_map(|(begins, length, algorithm)| {
            let bytes = info.as_ref()?.strip_prefix(begins)?;
            (bytes.len() == length).then(|| (algorithm, bytes.to_vec()))
        });
        let (algorithm, bytes) = found.ok_or_else(|| Error::Key {
            path: path.to_owned(),
            expected: "a PEM file with BEGIN PUBLIC KEY, Ed25519 or P-256 (openssl pkey -pubout writes it)",
        })?;
        Ok(Self {
            path: path.to_owned(),
            algorithm,
            bytes,
        })
    }

    /// Checks that `bytes`, which the file `path` holds, are what the signature beside it is of.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Missing`], [`Error::Wrong`].
    pub fn verify(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let signature = beside(path);
        let written = match read(&signature) {
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::Missing {
                    path: path.to_owned(),
                    signature,
                    key: self.path.clone(),
                });
            }
            written => written?,
        };
        let key = UnparsedPublicKey::new(self.algorithm, &self.bytes);
        let decoded = STANDARD.decode(written.trim_ascii()).ok();
        let holds = |signature: &Vec<u8>| key.verify(bytes, signature).is_ok();
        if [Some(written), decoded].iter().flatten().any(holds) {
            return Ok(());
        }
        Err(Error::Wrong {
            path: path.to_owned(),
            signature,
            key: self.path.clone(),
        })
    }
}

/// A key that signs recordings (`--sign-key`).
#[derive(Debug)]
pub struct SigningKey {
    path: PathBuf,
    pair: Pair,
}

#[derive(Debug)]
enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

impl SigningKey {
    /// Reads a private key.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Key`].
    pub fn load(path: &Path) -> Result<Self, Error> {
        let pair = PrivatePkcs8KeyDer::from_pem_slice(&read(path)?)
            .ok()
            .and_then(|key| {
                let key = key.secret_pkcs8_der();
                // openssl leaves the public half out.
                let ed25519 = Ed25519KeyPair::from_pkcs8_maybe_unchecked(key)
                    .ok()
                    .map(Pair::Ed25519);
                let p256 = || {
                    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key, &SystemRandom::new()).ok()
                };
                ed25519.or_else(|| p256().map(Pair::P256))
            });
        let pair = pair.ok_or_else(|| Error::Key {
            path: path.to_owned(),
            expected: "an unencrypted PEM file with BEGIN PRIVATE KEY, Ed25519 or P-256 (openssl genpkey writes it)",
        })?;
        Ok(Self {
            path: path.to_owned(),
            pair,
        })
    }

    /// Returns the signature of `bytes` as a file holds it: base64 and a newline.
    ///
    /// # Errors
    /// [`Error::Sign`].
    pub fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let signature = match &self.pair {
            Pair::Ed25519(pair) => pair.sign(bytes),
            Pair::P256(pair) => pair.sign(&SystemRandom::new(), bytes).map_err(|_| Error::Sign {
                key: self.path.clone(),
            })?,
        };
        Ok((STANDARD.encode(signature) + "\n").into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn openssl(directory: &Path, line: &str) {
        let output = Command::new("openssl")
            .args(line.split(' '))
            .current_dir(directory)
            .output()
            .expect("openssl is installed (package openssl)");
        assert!(
            output.status.success(),
            "{line}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    const KINDS: [(&str, &str, &str, &str); 2] = [
        (
            "ed25519",
            "genpkey -algorithm ed25519 -out key",
            "pkeyutl -sign -rawin -inkey key -in file -out file.sig",
            "pkeyutl -verify -rawin -pubin -inkey key.pub -in file -sigfile raw",
        ),
        (
            "p256",
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key",
            "dgst -sha256 -sign key -out file.sig file",
            "dgst -sha256 -verify key.pub -signature raw file",
        ),
    ];

    #[test]
    fn openssl_and_slim_understand_each_other() {
        for (kind, generate, sign, verify) in KINDS {
            let directory = tempfile::tempdir().unwrap();
            let path = |name: &str| directory.path().join(name);
            std::fs::write(path("file"), b"a recording\n").unwrap();
            openssl(directory.path(), generate);
            openssl(directory.path(), "pkey -in key -pubout -out key.pub");
            let key = PublicKey::load(&path("key.pub")).unwrap();
            let check = |bytes: &[u8]| key.verify(&path("file"), bytes);
            assert!(
                matches!(check(b"a recording\n"), Err(Error::Missing { .. })),
                "{kind}"
            );

            openssl(directory.path(), sign);
            check(b"a recording\n").unwrap();
            assert!(
                matches!(check(b"b recording\n"), Err(Error::Wrong { .. })),
                "{kind}"
            );
            let raw = std::fs::read(path("file.sig")).unwrap();
            std::fs::write(path("file.sig"), STANDARD.encode(&raw)).unwrap();
            check(b"a recording\n").unwrap();

            let own = SigningKey::load(&path("key"))
                .unwrap()
                .sign(b"a recording\n")
                .unwrap();
            std::fs::write(path("file.sig"), &own).unwrap();
            check(b"a recording\n").unwrap();
            std::fs::write(path("raw"), STANDARD.decode(own.trim_ascii()).unwrap()).unwrap();
            openssl(directory.path(), verify);

            std::fs::write(path("file.sig"), b"").unwrap();
            assert!(
                matches!(check(b"a recording\n"), Err(Error::Wrong { .. })),
                "{kind}"
            );
            // One for the other.
            assert!(matches!(PublicKey::load(&path("key")), Err(Error::Key { .. })));
            assert!(matches!(
                SigningKey::load(&path("key.pub")),
                Err(Error::Key { .. })
            ));
        }
    }

    #[test]
    fn other_keys_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        openssl(
            directory.path(),
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out key",
        );
        openssl(directory.path(), "pkey -in key -pubout -out key.pub");
        assert!(matches!(
            PublicKey::load(&directory.path().join("key.pub")),
            Err(Error::Key { .. })
        ));
        assert!(matches!(
            SigningKey::load(&directory.path().join("key")),
            Err(Error::Key { .. })
        ));
        assert!(matches!(
            PublicKey::load(&directory.path().join("none")),
            Err(Error::Io { .. })
        ));
    }
}
