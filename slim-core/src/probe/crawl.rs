//! The crawl of a site: the links of its answers, breadth first.

use std::collections::{BTreeSet, VecDeque};

use tokio::time::Instant;

use super::ProbeError;
use super::http::Request;
use super::links::{Link, Role, links};
use super::session::Session;
use super::site::{OPTIONAL_TIMEOUT, Site};
use super::transcript::{Requirement, Transcript};
use crate::recording::{ExchangeKind, Origin};

/// Number of parts (scripts, styles, images) that a crawl requests at most for each page that it may visit.
const PARTS_PER_PAGE: usize = 16;

/// The links to follow. Each path is queued once, and no more are queued than may be requested, so that a site without an
/// end costs no memory.
struct Queue {
    known: BTreeSet<String>,
    waiting: VecDeque<Queued>,
    depth: u32,
    /// Number of pages that may still be queued.
    pages: usize,
    /// Number of parts that may still be queued.
    parts: usize,
}

struct Queued {
    path: String,
    level: u32,
    from: String,
}

impl Queue {
    /// Queues the links of `from`; `level` is the number of links from the start to each.
    fn add(&mut self, found: Vec<Link>, from: &str, level: impl Fn(Role) -> u32) {
        for Link { role, path } in found {
            let level = level(role);
            let left = match role {
                Role::Page => &mut self.pages,
                Role::Part => &mut self.parts,
            };
            if level > self.depth || *left == 0 || !self.known.insert(path.clone()) {
                continue;
            }
            *left -= 1;
            self.waiting.push_back(Queued {
                path,
                level,
                from: from.to_owned(),
            });
        }
    }
}

impl Session<'_> {
    /// Follows the links of the site's answers so far.
    pub(super) async fn crawl(&self, transcript: &mut Transcript, site: Site) -> Result<(), ProbeError> {
        let mut queue = self.first_links(transcript, site);
        let deadline = Instant::now() + self.options.job_deadline;
        while let Some(Queued { path, level, from }) = queue.waiting.pop_front() {
            if Instant::now() >= deadline {
                transcript.summary.push(format!(
                    "the crawl of port {} was cut after {} s: a longer --job-timeout lets it go on",
                    site.port,
                    self.options.job_deadline.as_secs()
                ));
                break;
            }
            let request = Request::get(&path, site.protocol).within(OPTIONAL_TIMEOUT);
            self.target.progress(&request.display(site.port));
            let answer = self.send(site.endpoint, site.port, &request).await?.ok();
            if let Some(answer) = &answer {
                let found = links(&path, site.protocol, site.port, &answer.response, &answer.bytes);
                // The parts of a page are as far away as the page.
                queue.add(found, &path, |role| level + u32::from(role == Role::Page));
            }
            let origin = Origin::Crawl { from };
            let optional = Requirement::Optional;
            transcript.http(origin, site.port, &request, &[], answer.as_ref(), optional);
        }
        Ok(())
    }

    /// Queues the links of the answers that are already recorded.
    fn first_links(&self, transcript: &Transcript, site: Site) -> Queue {
        let pages = self.options.crawl_pages as usize;
        let recorded: Vec<_> = transcript
            .exchanges
            .iter()
            .filter_map(|exchange| match &exchange.kind {
                ExchangeKind::Http(http) if http.port == site.port && http.method == "GET" => Some(http),
                _ => None,
            })
            .collect();
        let mut queue = Queue {
            known: recorded.iter().map(|http| http.path.clone()).collect(),
            waiting: VecDeque::new(),
            depth: self.options.crawl_depth,
            pages,
            parts: pages.saturating_mul(PARTS_PER_PAGE),
        };
        for http in recorded {
            let Some(response) = http.response.as_ref().filter(|_| queue.depth > 0) else {
                continue;
            };
            let body = transcript.bodies.get(&response.body.digest);
            let found = links(
                &http.path,
                site.protocol,
                site.port,
                response,
                body.unwrap_or_default(),
            );
            queue.add(found, &http.path, |_| 1);
        }
        queue
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::fake::{Fake, serve};
    use super::super::{Options, Probed, run};

    /// Probes a site of which each page links to `links` others.
    async fn crawl(links: usize, delay: Duration, options: Options) -> Probed {
        let page = move |path: &str| {
            let link = |i| format!("<a href=\"{}/{i}\">", path.trim_end_matches('/'));
            (0..links).map(link).collect()
        };
        let fake = Fake {
            exposed: vec![80],
            endpoint: Some(serve(delay, page).await),
            ..Fake::default()
        };
        let running = tokio::time::timeout(Duration::from_secs(30), run(&fake, &options));
        running.await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_site_without_an_end_is_crawled_up_to_the_bound() {
        let options = Options {
            crawl_pages: 20,
            crawl_depth: u32::MAX,
            ..Options::default()
        };
        let probed = crawl(1000, Duration::ZERO, options).await;
        assert_eq!(probed.exchanges.len(), 21);
    }

    #[tokio::test]
    async fn a_crawl_ends_in_time() {
        let options = Options {
            crawl_pages: u32::MAX,
            crawl_depth: u32::MAX,
            job_deadline: Duration::from_secs(1),
            ..Options::default()
        };
        let probed = crawl(1, Duration::from_millis(50), options).await;
        assert_eq!(
            probed.summary[0],
            "the crawl of port 80 was cut after 1 s: a longer --job-timeout lets it go on"
        );
    }
}
