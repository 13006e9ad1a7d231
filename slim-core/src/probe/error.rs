//! The errors of a probe.

use std::path::PathBuf;

use super::BoxError;

/// The reason why a probe failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The container ended while it should have answered.
    #[error(
        "the container exited with {code} {}; see its log; if it is a job, pass --until-exit",
        doing
    )]
    Exited {
        /// Its exit code.
        code: i64,
        /// The step of the probe at that time: `while …`.
        doing: String,
    },
    /// A job exited with another code than expected.
    #[error(
        "the job exited with {code}, expected {expected}; see its log, or pass --expect-exit {code} if that is right"
    )]
    Job {
        /// Its exit code.
        code: i64,
        /// The expected one.
        expected: i64,
    },
    /// The container neither listens nor exits.
    #[error(
        "the container listens on no TCP port and did not exit within {} s; choose what exercises it: --port PORT if it is to \
         listen, --until-exit with a longer --job-timeout for a job, --probe exec to run a command in it, --for 30s to \
         watch it for a time, or --until-interrupt to watch it until Ctrl-C",
        seconds
    )]
    Neither {
        /// Number of seconds that were waited.
        seconds: u64,
    },
    /// The container does not exit, and the observation ends with its exit.
    #[error(
        "the container did not exit within {seconds} s; pass a longer --job-timeout, or --for 30s to watch it for a time"
    )]
    StillRunning {
        /// Number of seconds that were waited.
        seconds: u64,
    },
    /// No port answered.
    #[error("nothing answered on {ports} within {seconds} s ({last}); {remedy}")]
    NotReady {
        /// `port 80` or `ports 80, 443`.
        ports: String,
        /// Number of seconds that were waited.
        seconds: u64,
        /// The last failure.
        last: String,
        /// The remedy.
        remedy: String,
    },
    /// The container listens where only itself can connect.
    #[error(
        "the container listens on {address} port {port}, which is reached from inside the container only; make the app listen \
         on 0.0.0.0, run it with --network host, or exercise it with --probe exec"
    )]
    LoopbackOnly {
        /// The address.
        address: String,
        /// The port.
        port: u16,
    },
    /// A request that must succeed is still answered with 5xx.
    #[error("{request}: still {status} after {seconds} s; see the container's log{hint}")]
    StillFailing {
        /// The request.
        request: String,
        /// The last status.
        status: u16,
        /// Number of seconds for which it was tried.
        seconds: u64,
        /// A further remedy; empty if there is none.
        hint: String,
    },
    /// A request that must succeed has no answer.
    #[error("{request}: no answer after {seconds} s: {last}; see the container's log")]
    Unanswered {
        /// The request.
        request: String,
        /// Number of seconds for which it was tried.
        seconds: u64,
        /// The last failure.
        last: String,
    },
    /// An answer differs from the expectations of the probe file.
    #[error("{request}: expected {expected}, got {got}")]
    Expectation {
        /// The request.
        request: String,
        /// The expectation.
        expected: String,
        /// The value that came.
        got: String,
    },
    /// The command of the exec probe failed.
    #[error("{command:?} in the container exited with {code}, expected {expected}: {output}")]
    ExecFailed {
        /// The command.
        command: String,
        /// Its exit code.
        code: i64,
        /// The expected one.
        expected: i64,
        /// The end of its output.
        output: String,
    },
    /// The command could not be run.
    #[error("{command:?} could not be run in the container: {source}")]
    Exec {
        /// The command.
        command: String,
        /// The engine's message.
        source: BoxError,
    },
    /// The command does not end.
    #[error(
        "{command:?} in the container did not end within {seconds} s; if it is only slow, pass a longer --job-timeout"
    )]
    ExecTimeout {
        /// The command.
        command: String,
        /// Number of seconds that were waited.
        seconds: u64,
    },
    /// A test of the user's fails on the original.
    #[error(
        "{command:?} on the host exited with {code} while the original was recorded, so it cannot judge the slim image: mend \
         it, or leave its --run out: {output}"
    )]
    TestFailed {
        /// The command.
        command: String,
        /// Its exit code.
        code: i64,
        /// The end of its output.
        output: String,
    },
    /// A test of the user's does not end.
    #[error(
        "{command:?} on the host did not end within {seconds} s, and was killed; if it is only slow, pass a longer \
         --run-timeout: {output}"
    )]
    TestTimeout {
        /// The command.
        command: String,
        /// Number of seconds that were waited.
        seconds: u64,
        /// The end of its output.
        output: String,
    },
    /// A test of the user's could not be run.
    #[error("{command:?} could not be run on the host: {source}")]
    Test {
        /// The command.
        command: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// The probe file cannot be read or is not one.
    #[error("{}: {message}", path.display())]
    ProbeFile {
        /// The file.
        path: PathBuf,
        /// The request, and what is wrong with it.
        message: String,
    },
    /// The API description cannot be read or is not one.
    #[error("{description}: no OpenAPI or Swagger description: {message}")]
    OpenApi {
        /// The file, or the path on the app.
        description: String,
        /// The reason.
        message: String,
    },
    /// The options contradict each other.
    #[error("{0}")]
    Options(String),
    /// The engine does not say how the container is.
    #[error("the container's state: {0}")]
    Target(String),
}
