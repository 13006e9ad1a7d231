//! Pauses between attempts.

use std::time::Duration;

use tokio::time::sleep;

/// The pauses of a loop that tries again: each is twice as long as the one before, up to a longest.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    /// For looks at ports and requests over the network: 10 to 250 ms.
    pub(super) fn new() -> Self {
        Self {
            next: Duration::from_millis(10),
            longest: Duration::from_millis(250),
        }
    }

    /// For commands in the container, each of which starts a process there: 250 ms to 4 s.
    pub(super) fn for_commands() -> Self {
        Self {
            next: Duration::from_millis(250),
            longest: Duration::from_secs(4),
        }
    }

    /// The length of the next pause.
    pub(super) fn next(&self) -> Duration {
        self.next
    }

    /// The length of the longest pause.
    pub(super) fn longest(&self) -> Duration {
        self.longest
    }

    /// Waits for the next pause.
    pub(super) async fn pause(&mut self) {
        sleep(self.advance()).await;
    }

    fn advance(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut backoff = Backoff::new();
        let pauses: Vec<u128> = (0..7).map(|_| backoff.advance().as_millis()).collect();
        assert_eq!(pauses, [10, 20, 40, 80, 160, 250, 250]);
        let mut backoff = Backoff::for_commands();
        let pauses: Vec<u128> = (0..6).map(|_| backoff.advance().as_millis()).collect();
        assert_eq!(pauses, [250, 500, 1000, 2000, 4000, 4000]);
    }
}
