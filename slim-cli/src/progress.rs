//! Progress on standard error: a line for each stage on a terminal, nothing in a pipe. What a stage no longer needs is
//! given back when it ends.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use slim_core::pipeline::{self, Stage};
use slim_core::report::{StageTime, printable};

use crate::args::{Colour, Global};
use crate::memory;

/// Returns whether standard error is coloured.
pub(crate) fn colour(global: &Global) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value: std::ffi::OsString| !value.is_empty());
    match global.color {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => std::io::stderr().is_terminal() && !set("NO_COLOR") && !set("CI"),
    }
}

/// `text` in a terminal's colour.
pub(crate) fn paint(colour: bool, code: &str, text: &str) -> String {
    if colour {
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

/// A line on standard error, or nowhere: a terminal that was closed takes none, and what runs is to be ended well.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Step lines, bars and spinners; also keeps each stage's time for the report.
pub(crate) struct Progress {
    shown: bool,
    colour: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bar: Option<ProgressBar>,
    began: Option<Instant>,
    times: Vec<StageTime>,
}

impl Progress {
    pub(crate) fn new(global: &Global) -> Self {
        let terminal = std::io::stderr().is_terminal() && std::env::var_os("CI").is_none();
        Self {
            shown: terminal && !global.quiet,
            colour: colour(global),
            state: Mutex::default(),
        }
    }

    /// Each ended stage and how long it took.
    pub(crate) fn times(&self) -> Vec<StageTime> {
        self.lock().times.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn style(bytes: bool, total: bool) -> ProgressStyle {
        let template = match (bytes, total) {
            (false, _) => "{spinner:.cyan} {prefix:<8} {msg}",
            (true, false) => "{spinner:.cyan} {prefix:<8} {decimal_bytes} {decimal_bytes_per_sec} {msg}",
            (true, true) => {
                "{spinner:.cyan} {prefix:<8} {bar:30.cyan/dim} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {msg}"
            }
        };
        ProgressStyle::with_template(template).expect("the templates above are well-formed")
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.lock().bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl pipeline::Progress for Progress {
    fn begin(&self, stage: Stage, what: &str) {
        let mut state = self.lock();
        state.began = Some(Instant::now());
        if let Some(bar) = state.bar.take() {
            bar.finish_and_clear();
        }
        if self.shown {
            let bar = ProgressBar::new_spinner().with_style(Self::style(false, false));
            bar.set_prefix(stage.name());
            bar.set_message(printable(what).into_owned());
            bar.enable_steady_tick(Duration::from_millis(100));
            state.bar = Some(bar);
        }
    }

    fn freed(&self) {
        memory::give_back();
    }

    fn waiting(&self, what: &str) {
        if let Some(bar) = &self.lock().bar {
            bar.set_message(printable(what).into_owned());
        }
    }

    fn bytes(&self, done: u64, total: Option<u64>) {
        if let Some(bar) = &self.lock().bar {
            bar.set_style(Self::style(true, total.is_some()));
            if let Some(total) = total {
                bar.set_length(total);
            }
            bar.set_position(done);
        }
    }

    fn end(&self, stage: Stage, what: &str) {
        memory::give_back();
        let mut state = self.lock();
        let took = state
            .began
            .take()
            .map(|began| began.elapsed())
            .unwrap_or_default();
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        // A stage that is gone through again takes longer.
        match state.times.iter_mut().find(|time| time.stage == stage.name()) {
            Some(time) => time.ms += ms,
            None => state.times.push(StageTime {
                stage: stage.name().to_owned(),
                ms,
            }),
        }
        if let Some(bar) = state.bar.take() {
            bar.finish_and_clear();
            let seconds = paint(self.colour, "2", &format!("{:.1} s", took.as_secs_f64()));
            let tick = paint(self.colour, "32", "✓");
            say(&format!(
                "{tick} {:<8} {} {seconds}",
                stage.name(),
                printable(what)
            ));
        }
    }

    fn warn(&self, what: &str) {
        let line = format!("{}: {}", paint(self.colour, "1;33", "warning"), printable(what));
        match &self.lock().bar {
            Some(bar) => bar.suspend(|| say(&line)),
            None => say(&line),
        }
    }
}
