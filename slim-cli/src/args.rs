//! The command line.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, Args, Parser, Subcommand, ValueEnum};
use slim_core::engine::Pull;
use slim_core::image::Reference;
use slim_core::machine::Machine;
use slim_core::pipeline::{AttachOptions, OutputMode, RecordOptions, VerifyOptions};
use slim_core::plan::privileges::{Allowed, Words};
use slim_core::plan::tables::RuntimeTable;
use slim_core::profile::ARTIFACTS;
use slim_core::recording::signature::{PublicKey, SigningKey};
use slim_core::report::ChangeKind;
use slim_core::spec::{ContainerOptions, ContainerSpec, ParseContext};
use slim_core::store::Store;
use slim_core::verify::Aspect;
use slim_core::{probe, profile, reach, trace};

/// Watches a container from the kernel while the app is exercised, and hands back the smallest image that still works,
/// with the seccomp, AppArmor and capability profiles that it runs under.
#[derive(Debug, Parser)]
#[command(name = "slim", version, propagate_version = true, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// The form of the results on standard output; and, where profiles are made, a format to write them in beside the
    /// usual ones (see --list-formats); may be repeated
    #[arg(
        long,
        value_name = "FORMAT",
        value_parser = formats(),
        value_delimiter = ',',
        default_value = "text",
        env = "SLIM_FORMAT",
        global = true
    )]
    pub(crate) format: Vec<Format>,
    /// List the formats of profiles
    #[arg(long, global = true)]
    pub(crate) list_formats: bool,
    /// When to colour: on a terminal (and without NO_COLOR or CI), always, never
    #[arg(long, value_enum, default_value_t = Colour::Auto, env = "SLIM_COLOR", global = true)]
    pub(crate) color: Colour,
    /// The container engine, as in DOCKER_HOST (unix:///run/docker.sock, tcp://host:2376)
    #[arg(long, value_name = "ADDRESS", env = "SLIM_HOST", global = true)]
    pub(crate) host: Option<String>,
    /// Permissions of the files that are written, in octal: 600, 640 or 644. Answers of the application may hold secrets
    #[arg(long, value_name = "MODE", default_value = "600", value_parser = output_mode, env = "SLIM_OUTPUT_MODE", global = true)]
    pub(crate) output_mode: OutputMode,
    /// No progress; only the result, warnings and errors
    #[arg(long, short, env = "SLIM_QUIET", global = true)]
    pub(crate) quiet: bool,
    /// Log what happens on standard error (twice: more)
    #[arg(long, short, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
}

fn output_mode(text: &str) -> Result<OutputMode, String> {
    let mode = u32::from_str_radix(text, 8).ok().and_then(OutputMode::new);
    mode.ok_or_else(|| format!("{text:?} is none of 600, 640 and 644"))
}

/// A value of `--format`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// The form of the results.
    Results(Results),
    /// A SARIF log of what changed.
    Sarif,
    /// A format of profiles.
    Profile(String),
}

/// The form of the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Results {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// The values of `--format`: those of results, and those of profiles, which the help leaves to `--list-formats`.
fn formats() -> impl TypedValueParser<Value = Format> {
    let results = [
        PossibleValue::new("text").help("For people"),
        PossibleValue::new("json").help("For programs"),
        PossibleValue::new("sarif").help("For code scanning (slim diff)"),
    ];
    let profiles = ARTIFACTS
        .iter()
        .map(|artifact| PossibleValue::new(artifact.format()).hide(true));
    PossibleValuesParser::new(results.into_iter().chain(profiles)).map(|name| match name.as_str() {
        "text" => Format::Results(Results::Text),
        "json" => Format::Results(Results::Json),
        "sarif" => Format::Sarif,
        _ => Format::Profile(name),
    })
}

impl Command {
    /// Returns whether it makes profiles.
    pub(crate) fn makes_profiles(&self) -> bool {
        matches!(self, Self::Build(_) | Self::Profile(_) | Self::Generate(_))
    }
}

impl Global {
    /// Returns the form of the results: the last one that is named.
    pub(crate) fn results(&self) -> Results {
        let mut results = self.format.iter().filter_map(|format| match format {
            Format::Results(results) => Some(*results),
            Format::Sarif | Format::Profile(_) => None,
        });
        results.next_back().unwrap_or(Results::Text)
    }

    /// The formats of profiles that were asked for.
    pub(crate) fn profiles(&self) -> Vec<String> {
        let profiles = self.format.iter().filter_map(|format| match format {
            Format::Profile(name) => Some(name.clone()),
            Format::Results(_) | Format::Sarif => None,
        });
        profiles.collect()
    }

    /// Returns whether a SARIF log is requested.
    pub(crate) fn sarif(&self) -> bool {
        self.format.contains(&Format::Sarif)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    Auto,
    Always,
    Never,
}

#[expect(
    clippy::large_enum_variant,
    reason = "there is one of it, and it is taken apart at once"
)]
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Record a container, then make its slim image, its profiles and a report
    Build(Build),
    /// Record a container, then make its profiles; or check a profile against a recording
    Profile(Profile),
    /// Record a container, or what runs already
    Record(Record),
    /// Make profiles, and with --tag the image, from recordings
    Generate(Generate),
    /// Run a finished product again, and compare it with what was recorded
    Verify(VerifyAgain),
    /// Unite recordings of one image
    Merge(Merge),
    /// Say why a path is kept, or a system call or capability allowed
    Explain(Explain),
    /// Say what changed between two output directories, recordings, plans or seccomp profiles
    Diff(Diff),
    /// Say what this machine allows, and what is missing
    Doctor,
    /// Write the recording's JSON Schema and the command-line reference into a directory
    #[command(hide = true)]
    InternalDocs {
        /// The directory
        directory: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Build {
    #[command(flatten)]
    pub(crate) observe: Observe,
    #[command(flatten)]
    pub(crate) product: Product,
    #[command(flatten)]
    pub(crate) profiles: Profiles,
    /// The slim image's tag; may be repeated [default: NAME-slim:TAG]
    #[arg(long, value_name = "NAME:TAG", env = "SLIM_TAG")]
    pub(crate) tag: Vec<Reference>,
    /// An earlier recording of the image (or a directory that holds a recording.json), united with the new one; may be
    /// repeated
    #[arg(long, value_name = "RECORDING", env = "SLIM_RECORDING")]
    pub(crate) recording: Vec<PathBuf>,
    /// Record nothing new: the earlier recordings are all there is
    #[arg(long, requires = "recording", env = "SLIM_NO_RECORD")]
    pub(crate) no_record: bool,
    #[command(flatten)]
    pub(crate) trust: Trust,
    #[command(flatten)]
    pub(crate) sign: Sign,
    #[command(flatten)]
    pub(crate) verify: Verify,
    /// Tag the slim image although it did not pass
    #[arg(long, env = "SLIM_TAG_UNVERIFIED")]
    pub(crate) tag_unverified: bool,
}

/// The heading of flags about recordings that may come from elsewhere.
const RECORDINGS: &str = "Recordings (data that may come from elsewhere)";

/// Whose recordings are believed.
#[derive(Debug, Args)]
#[command(next_help_heading = RECORDINGS)]
pub(crate) struct Signed {
    /// Read only recordings that this key signed (PEM, Ed25519 or P-256): FILE.sig beside each, as cosign sign-blob and
    /// openssl write it
    #[arg(long, value_name = "FILE", env = "SLIM_VERIFY_KEY")]
    verify_key: Option<PathBuf>,
}

impl Signed {
    /// The key, if one is named.
    pub(crate) fn key(&self) -> anyhow::Result<Option<PublicKey>> {
        let key = self.verify_key.as_deref().map(PublicKey::load).transpose();
        key.context("--verify-key")
    }
}

/// The privileges that recordings may have.
#[derive(Debug, Args)]
#[command(next_help_heading = RECORDINGS)]
pub(crate) struct Trust {
    /// Let recorded containers have this again when they are repeated: KIND=VALUE (volume=/srv:/data,
    /// cap-add=NET_ADMIN, env=NAME, network=host, …), all of a KIND, or all; may be repeated. Where the command has the
    /// option itself, giving it again says the same
    #[arg(long, value_name = "KIND[=VALUE]", env = "SLIM_ALLOW_RECORDED")]
    allow_recorded: Vec<Allowed>,
    #[command(flatten)]
    pub(crate) signed: Signed,
}

impl Trust {
    /// The user's words; `again` are the options that he gave beside them.
    pub(crate) fn words(&self, again: &ContainerSpec) -> Words {
        Words::new(&self.allow_recorded, again)
    }
}

/// The key that signs what is recorded.
#[derive(Debug, Args)]
#[command(next_help_heading = RECORDINGS)]
pub(crate) struct Sign {
    /// Sign the recording with this key (PEM, PKCS #8, Ed25519 or P-256): recording.json.sig beside it
    #[arg(long, value_name = "FILE", env = "SLIM_SIGN_KEY")]
    sign_key: Option<PathBuf>,
}

impl Sign {
    /// The key, if one is named.
    pub(crate) fn key(&self) -> anyhow::Result<Option<SigningKey>> {
        let key = self.sign_key.as_deref().map(SigningKey::load).transpose();
        key.context("--sign-key")
    }
}

/// The verification of the product.
#[derive(Debug, Args)]
#[command(next_help_heading = "Verification")]
pub(crate) struct Verify {
    /// Do not run the product
    #[arg(long, env = "SLIM_NO_VERIFY")]
    no_verify: bool,
    /// Number of times that what the product missed is added and it is run again
    #[arg(long, value_name = "ROUNDS", default_value_t = VerifyOptions::HEAL, env = "SLIM_HEAL")]
    heal: u32,
    #[command(flatten)]
    checks: Checks,
}

/// The checks of a product.
#[derive(Debug, Args)]
#[command(next_help_heading = "Verification")]
pub(crate) struct Checks {
    /// Requests and commands, as in a probe file, that original and product must answer alike
    #[arg(long, value_name = "FILE", env = "SLIM_VERIFY_FILE")]
    verify_file: Option<PathBuf>,
    /// Run the product under this user id with group 0, too
    #[arg(long, value_name = "UID", env = "SLIM_VERIFY_USER")]
    verify_user: Option<u32>,
    /// Number of times that the product is started
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), env = "SLIM_VERIFY_TIMES")]
    verify_times: u32,
    /// Aspects that must pass besides image, seccomp and capabilities: read-only, arbitrary-uid, apparmor
    #[arg(long, value_name = "ASPECT", value_delimiter = ',', value_parser = aspect, env = "SLIM_REQUIRE")]
    require: Vec<Aspect>,
}

fn aspect(text: &str) -> Result<Aspect, String> {
    text.parse()
}

impl Checks {
    /// The options without healing.
    pub(crate) fn options(&self, trace: Option<trace::Options>) -> VerifyOptions {
        VerifyOptions {
            heal: 0,
            file: self.verify_file.clone(),
            user: self.verify_user,
            times: self.verify_times,
            require: self.require.iter().copied().collect(),
            tag_unverified: false,
            trace,
        }
    }
}

impl Verify {
    /// Returns the options of the verification; none to do without it.
    pub(crate) fn options(&self, trace: trace::Options, tag_unverified: bool) -> Option<VerifyOptions> {
        (!self.no_verify).then(|| VerifyOptions {
            heal: self.heal,
            tag_unverified,
            ..self.checks.options(Some(trace))
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct VerifyAgain {
    /// The output directory of slim build
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// The slim image, if it is not to be found under the tag that it was given
    #[arg(long, value_name = "IMAGE", env = "SLIM_PRODUCT")]
    pub(crate) product: Option<String>,
    /// The original image, if it is not to be found under the name that was recorded
    #[arg(long, value_name = "IMAGE", env = "SLIM_IMAGE")]
    pub(crate) image: Option<String>,
    #[command(flatten)]
    pub(crate) checks: Checks,
    #[command(flatten)]
    pub(crate) trust: Trust,
    #[command(flatten)]
    pub(crate) tracer: Tracer,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Profile {
    #[command(subcommand)]
    pub(crate) command: Option<ProfileCommand>,
    #[command(flatten)]
    pub(crate) observe: Observe,
    #[command(flatten)]
    pub(crate) verify: Verify,
    #[command(flatten)]
    pub(crate) profiles: Profiles,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProfileCommand {
    /// Say what a seccomp profile would have denied of recorded system calls (exit code 4 if anything)
    Check(Check),
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The seccomp profile, in Docker's JSON or as linux.seccomp of the OCI runtime specification
    #[arg(value_name = "FILE")]
    pub(crate) profile: PathBuf,
    /// A recording, or a directory that holds a recording.json; may be repeated
    #[arg(long, value_name = "RECORDING", required = true)]
    pub(crate) recording: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) signed: Signed,
}

/// The headings of flags that only a container has which slim starts.
const CONTAINER: &str = slim_core::spec::HEADING;
const PROBE: &str = "Probe";

/// The flags of every command that records.
#[derive(Debug, Args)]
pub(crate) struct Observe {
    #[command(flatten)]
    pub(crate) subject: Subject,
    #[command(flatten)]
    container: ContainerOptions,
    #[command(flatten)]
    probe: Probe,
    #[command(flatten)]
    tracer: Tracer,
}

#[derive(Debug, Args)]
#[command(
    mut_args(beside_attaching),
    override_usage = "slim record [OPTIONS] <IMAGE> [-- <COMMAND>...]\n       \
                      slim record [OPTIONS] --container <NAME|ID>\n       \
                      slim record [OPTIONS] --cgroup <DIR> --image <IMAGE>"
)]
pub(crate) struct Record {
    #[command(flatten)]
    pub(crate) observe: Observe,
    #[command(flatten)]
    attach: Attach,
    #[command(flatten)]
    pub(crate) sign: Sign,
}

impl Record {
    /// Returns the subject to attach to; none where a container is to be started.
    pub(crate) fn attach_to(&self) -> Option<Attachment<'_>> {
        // An image on the command line wins over what slim.toml attaches to.
        self.observe.subject.image.is_none().then(|| self.attach.to())?
    }
}

/// A subject that runs already.
#[derive(Debug, Args)]
#[command(next_help_heading = "Attaching (nothing is started, stopped or executed)")]
struct Attach {
    /// Record this container, which runs already, until it ends, Ctrl-C, SIGTERM or --for
    #[arg(
        long,
        value_name = "NAME|ID",
        env = "SLIM_CONTAINER",
        conflicts_with = "cgroup"
    )]
    container: Option<String>,
    /// Record the processes in this cgroup2 directory and below it; --image says whose files they run from, since a
    /// recording is of an image
    #[arg(long, value_name = "DIR", requires = "of", env = "SLIM_CGROUP")]
    cgroup: Option<PathBuf>,
    /// The image that the processes in the cgroup run from, as the engine has it
    #[arg(id = "of", long = "image", value_name = "IMAGE", env = "SLIM_IMAGE")]
    image: Option<String>,
}

/// The subject to attach to.
#[derive(Debug)]
pub(crate) enum Attachment<'a> {
    /// A container, by name or id.
    Container(&'a str),
    /// A cgroup2 directory, and the image that its processes run from.
    Cgroup(&'a Path, &'a str),
}

impl Attach {
    /// Returns the subject to attach to, if one is named.
    fn to(&self) -> Option<Attachment<'_>> {
        let cgroup = || {
            // One requires the other.
            Some(Attachment::Cgroup(
                self.cgroup.as_deref()?,
                self.image.as_deref()?,
            ))
        };
        self.container
            .as_deref()
            .map(Attachment::Container)
            .or_else(cgroup)
    }
}

/// The flags of `slim record`, of which those that are about a container to be started are for that alone.
fn beside_attaching(arg: Arg) -> Arg {
    const ATTACHING: [&str; 2] = ["container", "cgroup"];
    let starts = matches!(arg.get_id().as_str(), "image" | "command" | "pull")
        || matches!(arg.get_help_heading(), Some(CONTAINER | PROBE));
    match arg.get_id().as_str() {
        "image" => arg
            .required(false)
            .required_unless_present_any(ATTACHING)
            .conflicts_with_all(ATTACHING),
        "for_" => arg.help(
            "Record at least this long (30s, 5m); default: until the probes are done. What runs already: this long at \
             most; default: until it ends",
        ),
        _ if starts => arg.conflicts_with_all(ATTACHING),
        _ => arg,
    }
}

#[derive(Debug, Args)]
pub(crate) struct Generate {
    /// Recordings, or directories that hold a recording.json
    #[arg(value_name = "RECORDING", required = true)]
    pub(crate) recordings: Vec<PathBuf>,
    /// The image, if it is not to be found under the name that was recorded: its name in the engine, or
    /// oci-archive:PATH or docker-archive:PATH, which need no engine (the image that --tag names is then image.tar)
    #[arg(long, value_name = "IMAGE", env = "SLIM_IMAGE")]
    pub(crate) image: Option<String>,
    /// Make the slim image too, with this tag; may be repeated
    #[arg(long, value_name = "NAME:TAG", env = "SLIM_TAG")]
    pub(crate) tag: Vec<Reference>,
    #[command(flatten)]
    pub(crate) product: Product,
    #[command(flatten)]
    pub(crate) profiles: Profiles,
    /// The directory for the results [default: slim-out/IMAGE]
    #[arg(long, short, value_name = "DIR", env = "SLIM_OUTPUT")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) signed: Signed,
}

#[derive(Debug, Args)]
pub(crate) struct Merge {
    /// Recordings, or directories that hold a recording.json
    #[arg(value_name = "RECORDING", required = true)]
    pub(crate) recordings: Vec<PathBuf>,
    /// The directory for the united recording.json and its exchanges [default: slim-out/IMAGE]
    #[arg(long, short, value_name = "DIR", env = "SLIM_OUTPUT")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) signed: Signed,
    #[command(flatten)]
    pub(crate) sign: Sign,
}

#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The first: an output directory, a recording.json, a plan.json or a seccomp profile
    #[arg(value_name = "A")]
    pub(crate) from: PathBuf,
    /// The second, of the same or another kind
    #[arg(value_name = "B")]
    pub(crate) to: PathBuf,
    /// End with exit code 4 if such a change is found: added-syscall, added-capability, added-path, wider (or removed-…,
    /// narrower)
    #[arg(long, value_name = "CHANGE", value_delimiter = ',', value_parser = change, env = "SLIM_FAIL_ON")]
    pub(crate) fail_on: Vec<ChangeKind>,
}

fn change(text: &str) -> Result<ChangeKind, String> {
    text.parse()
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The output directory of an earlier command
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// A path in the image, a system call, or a capability
    #[arg(value_name = "WHAT", required_unless_present_any = ["removed", "phases"])]
    pub(crate) what: Option<String>,
    /// List the application's system calls by when it makes them: which of them only start-up needs
    #[arg(long, conflicts_with_all = ["what", "removed"])]
    pub(crate) phases: bool,
    /// List the largest things that are removed, by package, and what is named and left out
    #[arg(long, conflicts_with = "what")]
    pub(crate) removed: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Subject {
    /// The image: its name in the engine, or a file as oci-archive:PATH (an OCI layout) or docker-archive:PATH (docker
    /// save), which is loaded into the engine for as long as it is started from
    #[arg(value_name = "IMAGE", required = true)]
    image: Option<String>,
    /// The command in place of the image's own
    #[arg(value_name = "COMMAND", last = true)]
    pub(crate) command: Vec<String>,
    /// When to pull the image
    #[arg(long, value_enum, default_value_t, env = "SLIM_PULL")]
    pub(crate) pull: Pull,
    /// The directory for the results [default: slim-out/IMAGE]
    #[arg(long, short, value_name = "DIR", env = "SLIM_OUTPUT")]
    pub(crate) output: Option<PathBuf>,
}

impl Subject {
    /// The image as the user named it.
    pub(crate) fn image(&self) -> &str {
        // Required, except beside a subcommand, which has no subject.
        self.image.as_deref().unwrap_or_default()
    }
}

/// The flags of the probe.
#[derive(Debug, Args)]
#[command(next_help_heading = PROBE)]
pub(crate) struct Probe {
    /// The way the app is exercised
    #[arg(long, value_enum, default_value_t, env = "SLIM_PROBE")]
    probe: probe::Mode,
    /// A port to probe, beside those that are exposed, published or seen listening; may be repeated
    #[arg(long, value_name = "PORT", env = "SLIM_PORT")]
    port: Vec<u16>,
    /// Record at least this long (30s, 5m); default: until the probes are done
    #[arg(long = "for", value_name = "TIME", value_parser = duration, env = "SLIM_FOR")]
    for_: Option<Duration>,
    /// Record until the container ends by itself
    #[arg(long, env = "SLIM_UNTIL_EXIT")]
    until_exit: bool,
    /// Record until Ctrl-C
    #[arg(long, env = "SLIM_UNTIL_INTERRUPT")]
    until_interrupt: bool,
    /// The time that the app may take to answer
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration, env = "SLIM_READY_TIMEOUT")]
    ready_timeout: Duration,
    /// The time that a job, a command, a crawl or an API walk may take
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration, env = "SLIM_JOB_TIMEOUT")]
    job_timeout: Duration,
    /// The exit code that a job or an exec probe must have
    #[arg(long, value_name = "CODE", env = "SLIM_EXPECT_EXIT")]
    expect_exit: Option<i64>,
    /// A path to ask for; may be repeated
    #[arg(long, value_name = "PATH", env = "SLIM_HTTP_PATH")]
    http_path: Vec<String>,
    /// Requests with methods, headers, bodies and expectations, in YAML or JSON
    #[arg(long, value_name = "FILE", env = "SLIM_PROBE_FILE")]
    probe_file: Option<PathBuf>,
    /// An OpenAPI 3 or Swagger 2 description to walk: a file, or a path that the app serves
    #[arg(long, value_name = "FILE|PATH", env = "SLIM_PROBE_OPENAPI")]
    probe_openapi: Option<String>,
    /// Number of links from / to the farthest page of the crawl
    #[arg(long, value_name = "N", default_value_t = probe::Options::CRAWL_DEPTH, env = "SLIM_CRAWL_DEPTH")]
    crawl_depth: u32,
    /// Number of pages that the crawl requests
    #[arg(long, value_name = "N", default_value_t = probe::Options::CRAWL_PAGES, env = "SLIM_CRAWL_PAGES")]
    crawl_pages: u32,
    /// The text to send to a TCP port
    #[arg(long, value_name = "TEXT", env = "SLIM_TCP_SEND")]
    tcp_send: Option<String>,
    /// A datagram to send to a UDP port in place of its usual protocol's: bytes in hexadecimal digits, or a text
    /// (PORT=text:TEXT for one of such digits); may be repeated, also for one port
    #[arg(long, value_name = "PORT=HEX|TEXT", env = "SLIM_UDP_SEND")]
    udp_send: Vec<probe::Datagram>,
    /// The command of the exec probe, in words as a shell splits them
    #[arg(long, value_name = "COMMAND", env = "SLIM_EXEC")]
    exec: Option<String>,
    /// A test of yours: a command for /bin/sh on this machine, run beside the recorded container and again beside the
    /// slim one, with SLIM_URL, SLIM_HOST, SLIM_PORT_N and SLIM_CONTAINER in its environment; may be repeated. It
    /// must exit with 0
    #[arg(long, value_name = "COMMAND", env = "SLIM_RUN")]
    pub(crate) run: Vec<String>,
    /// The time that each --run may take
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration, env = "SLIM_RUN_TIMEOUT")]
    run_timeout: Duration,
}

impl Probe {
    /// The end of the observation: where several flags name one, the latest.
    fn end(&self) -> probe::End {
        if self.until_interrupt {
            probe::End::Interrupt
        } else if self.until_exit {
            probe::End::Exit
        } else {
            self.for_.map_or(probe::End::ProbeDone, probe::End::After)
        }
    }
}

/// The tracer's sizes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tracer")]
pub(crate) struct Tracer {
    /// The ring buffer between kernel and slim, in bytes (a power of two)
    #[arg(long, value_name = "BYTES", env = "SLIM_RING_SIZE")]
    ring_size: Option<u32>,
    /// Number of distinct files, sockets and programs that the kernel side can hold
    #[arg(long, value_name = "ENTRIES", env = "SLIM_MAP_SIZE")]
    map_size: Option<u32>,
}

impl Tracer {
    /// The sizes that are given, and defaults.
    pub(crate) fn sizes(&self) -> trace::Options {
        let default = trace::Options::default();
        trace::Options {
            ring_bytes: self.ring_size.unwrap_or(default.ring_bytes),
            map_entries: self.map_size.unwrap_or(default.map_entries),
        }
    }
}

/// The flags of profiles.
#[derive(Debug, Args)]
#[command(next_help_heading = "Profiles")]
pub(crate) struct Profiles {
    /// The kernel's answer to what the AppArmor profile does not allow
    #[arg(long, value_enum, default_value_t, env = "SLIM_APPARMOR_MODE")]
    apparmor_mode: profile::AppArmorMode,
    /// Distance of resource limits above the measured peaks, in percent of the peaks
    #[arg(long, value_name = "PERCENT", default_value_t = 50, env = "SLIM_HEADROOM")]
    headroom: u32,
    /// Calls of the container runtime after it has loaded the filter, in place of the built-in tables for runc and
    /// crun (profiles/runtime has their form); may be repeated
    #[arg(long, value_name = "FILE", env = "SLIM_RUNTIME_CALLS")]
    runtime_calls: Vec<PathBuf>,
    /// The kernel's answer to system calls that the seccomp profile does not allow
    #[arg(long, value_enum, default_value_t, env = "SLIM_SECCOMP_MODE")]
    seccomp_mode: profile::seccomp::Mode,
    /// Allow socket, ioctl, prctl, personality, clone, mmap and mprotect only as they were seen, where that is known
    /// (families, requests, options, flags; never writable code)
    #[arg(long, env = "SLIM_SECCOMP_ARGS")]
    seccomp_args: bool,
    /// The system calls that are allowed beyond the observed
    #[arg(long, value_enum, default_value_t, env = "SLIM_SECCOMP_REACH")]
    pub(crate) seccomp_reach: reach::SeccompReach,
    /// The architecture that the seccomp profile is for, if not the recorded one
    #[arg(long, value_enum, value_name = "ARCH", env = "SLIM_ARCH")]
    arch: Option<Arch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Arch {
    #[value(alias = "x86_64")]
    Amd64,
    #[value(alias = "aarch64")]
    Arm64,
}

impl Profiles {
    /// The runtime's calls, where a table is named.
    pub(crate) fn runtimes(&self) -> anyhow::Result<Option<Vec<RuntimeTable>>> {
        let read = |path: &PathBuf| {
            let text = std::fs::read(path).with_context(|| format!("--runtime-calls {}", path.display()))?;
            serde_json::from_slice(&text).with_context(|| {
                format!(
                    "--runtime-calls {}: no table as in profiles/runtime",
                    path.display()
                )
            })
        };
        match self.runtime_calls.as_slice() {
            [] => Ok(None),
            paths => paths.iter().map(read).collect::<Result<_, _>>().map(Some),
        }
    }

    /// The machine that profiles are for, as `uname -m` names it, if one was named.
    pub(crate) fn machine(&self) -> Option<String> {
        let machine = match self.arch? {
            Arch::Amd64 => Machine::X86_64,
            Arch::Arm64 => Machine::Aarch64,
        };
        Some(machine.uname().to_owned())
    }

    /// Returns the options of profiles, in the formats of `--format`.
    pub(crate) fn options(&self, global: &Global) -> profile::Options {
        profile::Options {
            formats: global.profiles(),
            apparmor_mode: self.apparmor_mode,
            headroom: self.headroom,
            seccomp: profile::seccomp::Options {
                arguments: self.seccomp_args,
                mode: self.seccomp_mode,
            },
        }
    }
}

/// The flags about the content of the product.
#[derive(Debug, Args)]
#[command(next_help_heading = "Product")]
pub(crate) struct Product {
    /// The extent of what is kept beyond what was observed
    #[arg(long, value_enum, default_value_t, env = "SLIM_KEEP")]
    keep: reach::Keep,
    /// Keep this path too (a directory with everything below it; * ? [] {} as in a shell); may be repeated
    #[arg(long, value_name = "PATH", env = "SLIM_INCLUDE")]
    include: Vec<String>,
    /// Keep the paths that this file lists, one a line (empty lines and # comments apart); may be repeated
    #[arg(long, value_name = "FILE", env = "SLIM_INCLUDE_FILE")]
    include_file: Vec<PathBuf>,
    /// Leave this path out whatever needs it, with everything below it; may be repeated
    #[arg(long, value_name = "PATH", env = "SLIM_EXCLUDE")]
    exclude: Vec<String>,
    /// Keep the image's shells, also those that are only named
    #[arg(long, env = "SLIM_INCLUDE_SHELL")]
    include_shell: bool,
    /// Keep the whole of this package of the distribution; may be repeated
    #[arg(long, value_name = "NAME", env = "SLIM_KEEP_PACKAGE")]
    keep_package: Vec<String>,
    /// Number of files that a directory of the application may hold to be kept whole
    #[arg(long, value_name = "N", default_value_t = reach::Limits::default().own_files, env = "SLIM_OWN_FILES")]
    own_files: u64,
    /// Number of bytes that a directory of the application may hold to be kept whole
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = reach::Limits::default().own_bytes,
        env = "SLIM_OWN_BYTES"
    )]
    own_bytes: u64,
    /// Number of entries that another directory may have to be kept whole, if the app listed it
    #[arg(long, value_name = "N", default_value_t = reach::Limits::default().listed_files, env = "SLIM_LISTED_FILES")]
    listed_files: u64,
    /// Edit the slim image's config with a Dockerfile instruction, as docker commit does; may be repeated
    #[arg(long, value_name = "INSTRUCTION", env = "SLIM_CHANGE")]
    change: Vec<String>,
}

impl Product {
    pub(crate) fn reach(&self, store: Option<Arc<Store>>) -> anyhow::Result<reach::Options> {
        let mut include = self.include.clone();
        for file in &self.include_file {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("--include-file {}", file.display()))?;
            let paths = text.lines().map(str::trim);
            include.extend(
                paths
                    .filter(|line| !line.is_empty() && !line.starts_with('#'))
                    .map(str::to_owned),
            );
        }
        Ok(reach::Options {
            keep: self.keep,
            include,
            exclude: self.exclude.clone(),
            include_shell: self.include_shell,
            keep_package: self.keep_package.clone(),
            limits: reach::Limits {
                own_files: self.own_files,
                own_bytes: self.own_bytes,
                listed_files: self.listed_files,
            },
            store,
        })
    }

    pub(crate) fn changes(&self) -> Vec<String> {
        self.change.clone()
    }
}

/// Returns the options of the recording.
pub(crate) fn record_options(observe: &Observe) -> anyhow::Result<RecordOptions> {
    let Observe {
        subject,
        container,
        probe,
        tracer,
    } = observe;
    Ok(RecordOptions {
        container: container_spec(container, &subject.command)?,
        probe: probe::Options {
            mode: probe.probe,
            ports: probe.port.clone(),
            end: probe.end(),
            readiness_deadline: probe.ready_timeout,
            job_deadline: probe.job_timeout,
            http_paths: probe.http_path.clone(),
            probe_file: probe.probe_file.clone(),
            openapi: probe.probe_openapi.clone(),
            tcp_send: probe.tcp_send.as_ref().map(|text| text.as_bytes().to_vec()),
            udp_send: probe.udp_send.clone(),
            run: probe.run.clone(),
            run_deadline: probe.run_timeout,
            exec: probe.exec.as_deref().map(words).transpose()?,
            crawl_depth: probe.crawl_depth,
            crawl_pages: probe.crawl_pages,
            expect_exit: probe.expect_exit.unwrap_or(0),
        },
        trace: tracer.sizes(),
    })
}

/// Returns the description of the container to start.
fn container_spec(options: &ContainerOptions, command: &[String]) -> anyhow::Result<ContainerSpec> {
    let directory = std::env::current_dir().context("the current directory")?;
    let context = ParseContext {
        directory: &directory,
        lookup: &|name| std::env::var(name).ok(),
    };
    let options = ContainerOptions {
        command: command.to_vec(),
        ..options.clone()
    };
    Ok(ContainerSpec::parse(&options, &context)?)
}

/// Returns the options of attaching.
pub(crate) fn attach_options(observe: &Observe) -> AttachOptions {
    AttachOptions {
        duration: observe.probe.for_,
        trace: observe.tracer.sizes(),
    }
}

/// A command line's words: split at blanks, with single and double quotes and backslashes as a shell has them.
fn words(line: &str) -> anyhow::Result<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => {
                let Some(next) = chars.next() else {
                    anyhow::bail!("--exec {line:?} ends in a backslash")
                };
                word.get_or_insert_default().push(next);
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if let Some(quote) = quote {
        anyhow::bail!("--exec {line:?} has no closing {quote}");
    }
    words.extend(word);
    if words.is_empty() {
        anyhow::bail!("--exec needs a command");
    }
    Ok(words)
}

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => {
            return Err(format!(
                "{unit:?} is no unit of time: use ms, s, m or h, as in 30s"
            ));
        }
    };
    let number: f64 = number
        .parse()
        .map_err(|_| "expected a number and a unit, as in 30s".to_owned())?;
    Duration::try_from_secs_f64(number * scale).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert!(duration("soon").is_err());
        assert!(duration("3 days").is_err());
        assert!(duration("99999999999999999999999h").is_err());
    }

    #[test]
    fn words_split_as_a_shell_does() {
        assert_eq!(
            words(r#"psql -c 'select 1' "a b" c\ d ''"#).unwrap(),
            ["psql", "-c", "select 1", "a b", "c d", ""]
        );
        assert!(words("echo 'open").is_err());
        assert!(words("  ").is_err());
    }

    #[test]
    fn the_defaults_of_the_probe_are_those_of_the_library() {
        #[derive(Parser)]
        struct Flags {
            #[command(flatten)]
            observe: Observe,
        }
        let Flags { observe } = Flags::parse_from(["record", "image"]);
        let options = record_options(&observe).unwrap();
        assert_eq!(options.probe, probe::Options::default());
    }

    #[test]
    fn the_latest_end_of_the_observation_counts() {
        #[derive(Parser)]
        struct Flags {
            #[command(flatten)]
            probe: Probe,
        }
        let end = |flags: &[&str]| Flags::parse_from([&["record"], flags].concat()).probe.end();
        assert_eq!(end(&[]), probe::End::ProbeDone);
        assert_eq!(end(&["--for", "3s"]), probe::End::After(Duration::from_secs(3)));
        assert_eq!(end(&["--for", "3s", "--until-exit"]), probe::End::Exit);
        assert_eq!(end(&["--until-exit", "--until-interrupt"]), probe::End::Interrupt);
    }
}
