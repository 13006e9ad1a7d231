//! `cargo xtask demo`: the main job on the nginx sample, from nothing.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::docs::build_slim;
use crate::engine::Docker;
use crate::packages::For;
use crate::{samples, setup, sh};

const SAMPLE: &str = "nginx";
const SLIM_TAG: &str = "slim-sample-nginx-slim";

/// Sets up, builds slim and the sample, slims it, shows what came out and asks the slim image for a page.
///
/// # Errors
///
/// When a step fails.
pub(crate) fn run() -> Result<()> {
    let docker = setup::run(For::Demo)?;
    let slim = build_slim("dev")?;
    samples::build(&docker, &[SAMPLE.to_owned()])?;

    let output = sh::target_directory()?.join("demo");
    let mut build = sh::root(&slim);
    build
        .args(["build", &samples::image(SAMPLE), "--tag", SLIM_TAG, "--output"])
        .arg(&output);
    step("Watch the image at work, and slim it");
    sh::run(&mut build)?;

    step("What it wrote");
    sh::run(Command::new("ls").args(["-l", "--human-readable"]).arg(&output))?;
    step("Before and after");
    sh::run(
        docker
            .command()
            .args(["images", "--filter", "reference=slim-sample-nginx*"]),
    )?;
    step("The slim image, under its own profiles");
    sh::run(Command::new("cat").arg(output.join("run.sh")))?;
    ask(&docker, &output)
}

fn step(title: &str) {
    eprintln!("\n== {title}");
}

/// Runs the slim image through the `run.sh` that slim wrote, and asks it for its first page.
fn ask(docker: &Docker, output: &Path) -> Result<()> {
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())?
        .port();
    let name = format!("slim-demo-{}", std::process::id());
    let mut run = sh::root("sh");
    run.env("DOCKER", docker.client());
    run.arg(output.join("run.sh"));
    run.args(["--name", &name, "--publish", &format!("127.0.0.1:{port}:80")]);
    eprintln!("$ {}", sh::show(&run));
    let mut container = run
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("could not start the slim image")?;
    let page = wait_for_page(port);
    let _ = docker.output(&["rm", "--force", "--volumes", &name]);
    container
        .wait()
        .context("could not wait for the slim image to end")?;
    let page = page?;
    println!("{}", page.trim_end());
    Ok(())
}

fn wait_for_page(port: u16) -> Result<String> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match get(port) {
            Ok(answer) if answer.starts_with("HTTP/1.1 200") => return Ok(answer),
            Ok(answer) => bail!(
                "the slim image answered {:?}",
                answer.lines().next().unwrap_or_default()
            ),
            // Docker's proxy accepts and closes while nothing listens behind it.
            Err(error) if Instant::now() > deadline => {
                return Err(error.context("the slim image does not answer"));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

fn get(port: u16) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.is_empty() {
        bail!("the connection was closed without an answer");
    }
    Ok(answer)
}
