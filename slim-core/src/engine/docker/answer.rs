//! The engine's answers that are errors, and the names that it is sent.

use bollard::errors::Error as ApiError;

use crate::engine::Error;
use crate::image::{Reference, ReferenceError};

/// Parses the name of an image before the engine sees it.
pub(super) fn parse_reference(action: &str, text: &str) -> Result<Reference, Error> {
    text.parse().map_err(|error: ReferenceError| Error::Refused {
        action: action.to_owned(),
        message: error.to_string(),
    })
}

/// Checks that a name or id, which becomes part of a request's path, holds only what such names are made of.
pub(super) fn check_name(action: &str, name: &str) -> Result<(), Error> {
    let harmless = |b: u8| b.is_ascii_alphanumeric() || b"_.-/:@".contains(&b);
    let dots = name
        .split('/')
        .any(|part| part.is_empty() || part == "." || part == "..");
    if name.is_empty() || name.len() > 512 || !name.bytes().all(harmless) || dots {
        return Err(Error::Refused {
            action: action.to_owned(),
            message: format!("{name:?} is not a valid name"),
        });
    }
    Ok(())
}

pub(super) fn status(error: &ApiError) -> Option<u16> {
    match error {
        ApiError::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// Describes an error: the engine's message, or the whole chain of causes.
pub(super) fn reason(error: &ApiError) -> String {
    match error {
        ApiError::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        ApiError::DockerStreamError { error } => error.trim().to_owned(),
        ApiError::RequestTimeoutError => "no answer in time".to_owned(),
        ApiError::SocketNotFoundError(path) => format!("there is no socket {path}"),
        other => {
            let mut text = other.to_string();
            let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(other);
            while let Some(inner) = cause {
                let more = inner.to_string();
                if !text.contains(&more) {
                    text = format!("{text}: {more}");
                }
                cause = inner.source();
            }
            if text.contains("Permission denied") {
                text += " (run slim as root)";
            }
            text
        }
    }
}

/// The engine's refusal, or a broken connection.
pub(super) fn refused(action: &str, error: ApiError) -> Error {
    match error {
        ApiError::DockerResponseServerError { .. } | ApiError::DockerStreamError { .. } => Error::Refused {
            action: action.to_owned(),
            message: reason(&error),
        },
        other => Error::Broken {
            action: action.to_owned(),
            reason: reason(&other),
        },
    }
}
