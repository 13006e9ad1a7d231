//! Prints one of the profiles that a recording gives: no engine and no root.
//!
//! ```text
//! cargo run --example render_profile -- docker-archive:app.tar slim-app/recording.json seccomp
//! ```

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use slim_core::cancel::Cancel;
use slim_core::image::ImageName;
use slim_core::pipeline::{self, ProductOptions};
use slim_core::plan::{confine, recorded_container};
use slim_core::profile::{ARTIFACTS, Context};
use slim_core::recording::Recording;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [image, recording, format] = arguments.as_slice() else {
        eprintln!("usage: render_profile oci-archive:FILE|docker-archive:FILE RECORDING FORMAT");
        return ExitCode::from(2);
    };
    match render(image, Path::new(recording), format) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("render_profile: {error}");
            ExitCode::FAILURE
        }
    }
}

fn render(name: &str, recording: &Path, format: &str) -> Result<(), Box<dyn Error>> {
    let artifact = ARTIFACTS.iter().find(|artifact| artifact.format() == format);
    let artifact = artifact.ok_or_else(|| {
        let formats: Vec<_> = ARTIFACTS.iter().map(|artifact| artifact.format()).collect();
        format!("{format:?} is none of {}", formats.join(", "))
    })?;
    let ImageName::Archive(file) = name.parse()? else {
        return Err(format!("{name}: only an engine has that image; docker save writes it to a file").into());
    };
    let image = file.read()?.into_image(name);
    let recording = Recording::load(recording)?;
    let options = ProductOptions::default();
    let plan = pipeline::plan(&image, &recording, &options, &Cancel::default())?;

    // The launch description of a product: what the first recorded container was started with, confined to the plan.
    let run = recording
        .runs
        .values()
        .next()
        .ok_or("the recording holds no run")?;
    let container = recorded_container(&run.container, &image.config);
    let launch = confine(&container, &plan, &recording);
    let bytes = artifact.render(&Context {
        plan: &plan,
        recording: &recording,
        image: &image,
        launch: &launch,
        digest: &image.id,
        tags: &[],
        options: &options.profiles,
    })?;
    std::io::stdout().write_all(&bytes)?;
    Ok(())
}
