//! Silence that means something: no answer while the container's processes have nothing to do.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Target;
use super::session::Session;
use crate::cgroup::Work;

/// The time between two looks.
const PERIOD: Duration = Duration::from_millis(25);
/// A container that uses less than this part of one processor does nothing.
const IDLE_PART: u32 = 10;

/// A measure of the time in which a container's processes were idle.
#[derive(Default)]
pub(super) struct Meter {
    last: Option<(Instant, Work)>,
    idle: Duration,
    streak: Duration,
}

impl Meter {
    /// Looks, and adds the time since the last look if the container was idle. Returns all the idle time; none where nobody
    /// can tell.
    pub(super) fn look(&mut self, target: &dyn Target) -> Option<Duration> {
        Some(self.add(Instant::now(), target.work()?))
    }

    fn add(&mut self, now: Instant, work: Work) -> Duration {
        if let Some((then, before)) = self.last.replace((now, work)) {
            let passed = now - then;
            let worked = work.processor.saturating_sub(before.processor);
            if !work.runnable && worked <= passed / IDLE_PART {
                self.idle += passed;
                self.streak += passed;
            } else {
                self.streak = Duration::ZERO;
            }
        }
        self.idle
    }

    /// Returns the idle time since the container worked last.
    pub(super) fn streak(&self) -> Duration {
        self.streak
    }

    /// Begins anew.
    pub(super) fn reset(&mut self) {
        self.idle = Duration::ZERO;
        self.streak = Duration::ZERO;
    }
}

impl Session<'_> {
    /// Resolves when the container's processes have been idle for `idle`, all in all; after `blind` where nobody can tell.
    pub(super) async fn quiet(&self, idle: Duration, blind: Duration) {
        let mut meter = Meter::default();
        let started = Instant::now();
        loop {
            let enough = match meter.look(self.target) {
                Some(so_far) => so_far >= idle,
                None => started.elapsed() >= blind,
            };
            if enough {
                return;
            }
            sleep(PERIOD.min(idle)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_idle_time_counts() {
        let ms = Duration::from_millis;
        let looks = [
            (0, 0, false, 0),
            // It worked all the time, then a little, then it waits for a processor, then it sleeps.
            (25, 25, false, 0),
            (50, 27, false, 25),
            (75, 27, true, 25),
            (100, 27, false, 50),
        ];
        let (mut meter, began) = (Meter::default(), Instant::now());
        for (at, processor, runnable, idle) in looks {
            let processor = ms(processor);
            assert_eq!(
                meter.add(began + ms(at), Work { processor, runnable }),
                ms(idle),
                "at {at}"
            );
        }
        assert_eq!(meter.streak(), ms(25), "since it waited for a processor");
        meter.reset();
        let work = Work {
            processor: ms(27),
            runnable: false,
        };
        assert_eq!(meter.add(began + ms(110), work), ms(10));
    }
}
