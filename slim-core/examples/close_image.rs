//! Prints what an image must keep to go on doing what a recording saw, and why: no engine and no root.
//!
//! ```text
//! cargo run --example close_image -- docker-archive:app.tar slim-app/recording.json
//! ```

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use slim_core::cancel::Cancel;
use slim_core::image::{ImageName, packages};
use slim_core::reach::{self, Options};
use slim_core::recording::Recording;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [image, recording] = arguments.as_slice() else {
        eprintln!("usage: close_image oci-archive:FILE|docker-archive:FILE RECORDING");
        return ExitCode::from(2);
    };
    match close(image, Path::new(recording)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("close_image: {error}");
            ExitCode::FAILURE
        }
    }
}

fn close(name: &str, recording: &Path) -> Result<(), Box<dyn Error>> {
    let ImageName::Archive(file) = name.parse()? else {
        return Err(format!("{name}: only an engine has that image; docker save writes it to a file").into());
    };
    let image = file.read()?.into_image(name);
    let recording = Recording::load(recording)?;
    let owners = packages::owners(&image.rootfs);
    let reached = reach::close(
        &image,
        &owners,
        &recording,
        &Options::default(),
        &Cancel::default(),
    )?;
    for (path, kept) in &reached.files {
        let nearest = kept.causes.first().map_or("", |cause| cause.kind());
        println!("{path}\t{nearest}");
    }
    eprintln!("{} of {} entries", reached.files.len(), image.rootfs.len());
    Ok(())
}
