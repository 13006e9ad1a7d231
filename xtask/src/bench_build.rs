//! `cargo xtask bench build`: how long `slim build` takes from the command to the verified image, beside what the
//! original takes to start, and whether what an image holds unused costs anything.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::bench_closure::{empty, median, slim_json, stage};
use crate::engine::Docker;
use crate::packages::For;
use crate::{docs, samples, setup, sh};

/// The samples and the ports that they listen on.
const SAMPLES: [(&str, u16); 3] = [("nginx", 80), ("node-express", 3000), ("python-flask", 8000)];
/// A build may take as often as long as its original takes to answer, and as much more, in seconds.
const BOUND: (f64, f64) = (3.0, 2.0);
/// The most memory that slim may take, in bytes.
const MEMORY: f64 = 64e6;
/// The most that a build of an image may take longer for 2 GB in 50,000 files that nobody uses.
const UNUSED: f64 = 1.1;
/// The tag of products.
const PRODUCT: &str = "slim-bench-product";
/// The nginx sample with those.
const FAT: &str = "slim-bench-unused";

/// The stages in their order.
const STAGES: [&str; 9] = [
    "image", "start", "probe", "stop", "plan", "profiles", "layer", "load", "verify",
];

/// Measures, and prints Markdown tables on stdout.
///
/// # Errors
///
/// When something cannot be run, or a figure misses its bound.
pub(crate) fn run(runs: usize, profile: &str) -> Result<()> {
    ensure!(runs > 0, "--runs must be at least 1");
    let docker = setup::run(For::Demo)?;
    samples::build(&docker, &SAMPLES.map(|(name, _)| name.to_owned()))?;
    let mut build = sh::cargo();
    sh::run(build.args(["build", "--package", "slim-cli", "--profile", profile]))?;
    let slim = docs::built(profile)?.join("slim");
    fat_image(&docker)?;
    let directory = sh::target_directory()?.join("bench/build");
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("could not create {}", directory.display()))?;

    let store = directory.join("store");
    let directory = directory.join("out");
    let mut missed = Vec::new();
    println!(
        "| sample | original, T | build | 3 T + 2 s | memory | {} |",
        STAGES.join(" | ")
    );
    println!("|---|---|---|---|---|{}", "---|".repeat(STAGES.len()));
    for (name, port) in SAMPLES {
        let image = samples::image(name);
        let (mut originals, mut first, mut again) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..runs {
            originals.push(answer_time(&docker, &image, port)?);
            empty(&store)?;
            first.push(built(&docker, &slim, &image, &directory, &store)?);
            again.push(built(&docker, &slim, &image, &directory, &store)?);
        }
        let original = median(&mut originals);
        let bound = BOUND.0 * original + BOUND.1;
        for (name, builds) in [
            (name.to_owned(), &mut first),
            (format!("{name}, again"), &mut again),
        ] {
            builds.sort_by(|a, b| total(a).total_cmp(&total(b)));
            let report = &builds[builds.len() / 2];
            let memory = builds
                .iter()
                .filter_map(|report| report["peak_memory"].as_f64())
                .fold(0.0, f64::max);
            let stages = STAGES.map(|name| format!("{:.2}", stage(report, name).unwrap_or_default()));
            println!(
                "| {name} | {original:.2} s | {:.2} s | {bound:.2} s | {:.0} MB | {} |",
                total(report),
                memory / 1e6,
                stages.join(" | ")
            );
            if total(report) > bound {
                missed.push(format!("{name}: {:.2} s, more than {bound:.2} s", total(report)));
            }
            if memory > MEMORY {
                missed.push(format!("{name}: {:.0} MB of memory", memory / 1e6));
            }
        }
    }

    // What both have is known before.
    built(&docker, &slim, FAT, &directory, &store)?;
    let (mut plain, mut fat) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        plain.push(total(&built(
            &docker,
            &slim,
            &samples::image("nginx"),
            &directory,
            &store,
        )?));
        fat.push(total(&built(&docker, &slim, FAT, &directory, &store)?));
    }
    let mut ratios: Vec<f64> = plain.iter().zip(&fat).map(|(plain, fat)| fat / plain).collect();
    let ratio = median(&mut ratios);
    println!("\n| image | build | with 2 GB in 50,000 files more | ratio | target |");
    println!("|---|---|---|---|---|");
    println!(
        "| nginx | {:.2} s | {:.2} s | {ratio:.2} | ≤ {UNUSED} |",
        median(&mut plain),
        median(&mut fat)
    );
    if ratio > UNUSED {
        missed.push(format!("unused data: {ratio:.2} times as long"));
    }
    ensure!(missed.is_empty(), "missed: {}", missed.join("; "));
    Ok(())
}

/// Seconds from the command to the end.
fn total(report: &Value) -> f64 {
    report["total_ms"].as_f64().unwrap_or_default() / 1000.0
}

/// The report of one build, whose product is removed.
fn built(docker: &Docker, slim: &Path, image: &str, directory: &Path, store: &Path) -> Result<Value> {
    let report = slim_json(slim, &["build", image, "--tag", PRODUCT], directory, store)?;
    // The next product would leave this one without a name.
    docker.output(&["image", "rm", PRODUCT])?;
    Ok(report)
}

/// Seconds from `docker run` to the first answer and the container's removal.
fn answer_time(docker: &Docker, image: &str, port: u16) -> Result<f64> {
    let clock = Instant::now();
    let id = docker.output(&["run", "--detach", image])?;
    let address = docker.output(&[
        "inspect",
        "--format",
        "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
        &id,
    ])?;
    let address: SocketAddr = format!("{address}:{port}")
        .parse()
        .with_context(|| format!("{address:?} is no address"))?;
    let deadline = Instant::now() + Duration::from_secs(60);
    while !answers(address) {
        ensure!(Instant::now() < deadline, "{image} does not answer at {address}");
        std::thread::sleep(Duration::from_millis(5));
    }
    docker.output(&["rm", "--force", "--volumes", &id])?;
    Ok(clock.elapsed().as_secs_f64())
}

fn answers(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        Ok(&answer == b"HTTP/")
    };
    ask().unwrap_or(false)
}

/// The nginx sample with 2 GB in 50,000 files more.
fn fat_image(docker: &Docker) -> Result<()> {
    samples::from_dockerfile(
        docker,
        FAT,
        "FROM slim-sample-nginx\n\
        RUN set -e; i=0; while [ $i -lt 500 ]; do mkdir -p /opt/unused/$i; \
        head -c 4000000 /dev/urandom | split -b 40000 - /opt/unused/$i/; i=$((i+1)); done\n",
    )
}
