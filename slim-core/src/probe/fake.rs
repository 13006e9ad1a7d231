//! A container whose behaviour a test sets.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{BoxError, ExecOutput, Target};
use crate::recording::SocketUse;

/// A container that runs for ever and executes no command to its end.
#[derive(Default)]
pub(super) struct Fake {
    /// The exposed ports.
    pub(super) exposed: Vec<u16>,
    /// The address of every port; none if they are not reached.
    pub(super) endpoint: Option<SocketAddr>,
    /// Number of look-ups of an address at this moment.
    pub(super) active: AtomicUsize,
    /// The largest number of such look-ups at the same time.
    pub(super) most_active: AtomicUsize,
}

#[async_trait]
impl Target for Fake {
    async fn running(&self) -> Result<bool, BoxError> {
        Ok(true)
    }
    fn listening(&self) -> Vec<SocketUse> {
        Vec::new()
    }
    fn exposed(&self) -> Vec<(u16, String)> {
        self.exposed.iter().map(|port| (*port, "tcp".into())).collect()
    }
    async fn endpoint(&self, _: u16) -> Option<SocketAddr> {
        let active = self.active.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_active.fetch_max(active, Ordering::Relaxed);
        tokio::task::yield_now().await;
        self.active.fetch_sub(1, Ordering::Relaxed);
        self.endpoint
    }
    async fn exec(&self, _: &[String]) -> Result<ExecOutput, BoxError> {
        std::future::pending().await
    }
    async fn wait(&self) -> Result<i64, BoxError> {
        std::future::pending().await
    }
    fn first_answer(&self) {}
    async fn interrupted(&self) {
        std::future::pending().await
    }
    fn progress(&self, _: &str) {}
}

/// Serves HTTP: `page` returns the body for a path, as HTML, after `delay`.
pub(super) async fn serve(
    delay: Duration,
    page: impl Fn(&str) -> String + Clone + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let page = page.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let count = stream.read(&mut buffer).await.unwrap_or(0);
                let head = String::from_utf8_lossy(&buffer[..count]).into_owned();
                let body = page(head.split(' ').nth(1).unwrap_or_default());
                tokio::time::sleep(delay).await;
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    address
}
