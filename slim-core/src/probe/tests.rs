//! The probe against real servers on loopback; a [`Local`] stands in for the container.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{
    BoxError, Datagram, End, ExecOutput, Kind, Mode, Options, ProbeError as Error, Probed, Target, Work,
    replay, run,
};
use crate::recording::{
    Actor, Exchange, ExchangeKind, HostExchange, HttpExchange, Origin, Phase, SocketAction, SocketUse,
    TcpExchange, UdpExchange,
};
use crate::test_tools::tool;
use async_trait::async_trait;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio_rustls::TlsAcceptor;

/// A stand-in for a container: its ports are servers of this test.
struct Local {
    ports: BTreeMap<u16, SocketAddr>,
    exposed: Vec<u16>,
    listening: Mutex<Vec<SocketUse>>,
    exit: watch::Sender<Option<i64>>,
    exit_at: Mutex<Option<(Moment, i64)>>,
    attempted: Notify,
    interrupt: Notify,
    first_answers: AtomicUsize,
    execs: AtomicUsize,
    exec_fails: usize,
    /// The UDP ports, which are exposed.
    udp: BTreeMap<u16, SocketAddr>,
    /// The work of its processes; none where nobody can tell.
    work: Option<fn(Duration) -> Work>,
    began: Instant,
}

impl Local {
    fn new(ports: &[(u16, SocketAddr)]) -> Self {
        Self {
            ports: ports.iter().copied().collect(),
            exposed: ports.iter().map(|(port, _)| *port).collect(),
            listening: Mutex::default(),
            exit: watch::Sender::new(None),
            exit_at: Mutex::default(),
            attempted: Notify::new(),
            interrupt: Notify::new(),
            first_answers: AtomicUsize::new(0),
            execs: AtomicUsize::new(0),
            exec_fails: 0,
            udp: BTreeMap::new(),
            work: None,
            began: Instant::now(),
        }
    }

    fn listens(&self, address: &str, port: u16) {
        self.listening.lock().unwrap().push(SocketUse {
            action: SocketAction::Listen,
            family: "inet".into(),
            kind: "stream".into(),
            protocol: 6,
            address: address.into(),
            port,
            phase: Phase::StartUp,
            actor: Actor::App,
            program: None,
        });
    }

    /// Binds a UDP port, which the tracer sees.
    fn binds(&self, port: u16) {
        self.listens("0.0.0.0", port);
        let mut sockets = self.listening.lock().unwrap();
        let socket = sockets.last_mut().unwrap();
        socket.action = SocketAction::Bind;
        socket.kind = "dgram".into();
    }

    /// Of processes that sleep all the time.
    fn asleep(mut self) -> Self {
        self.work = Some(|_| Work {
            processor: Duration::ZERO,
            runnable: false,
        });
        self
    }

    fn exits(&self, code: i64) {
        self.exit.send_replace(Some(code));
    }

    fn exits_at(&self, moment: Moment, code: i64) {
        *self.exit_at.lock().unwrap() = Some((moment, code));
    }

    fn reach(&self, reached: impl FnOnce(Moment) -> bool) {
        if let Some((moment, code)) = *self.exit_at.lock().unwrap()
            && reached(moment)
        {
            self.exits(code);
        }
    }
}

/// A moment at which a container exits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// The probe lists its sockets.
    List,
    /// The probe attempts a port.
    Attempt,
    /// The probe reports this step.
    Step(&'static str),
}

/// The step after the probe, where the container is to exit by itself.
const WATCHED: Moment = Moment::Step("watching until the container exits");

#[async_trait]
impl Target for Local {
    async fn running(&self) -> Result<bool, BoxError> {
        Ok(self.exit.borrow().is_none())
    }
    fn listening(&self) -> Vec<SocketUse> {
        self.reach(|moment| moment == Moment::List);
        self.listening.lock().unwrap().clone()
    }
    fn exposed(&self) -> Vec<(u16, String)> {
        let tcp = self.exposed.iter().map(|port| (*port, "tcp".into()));
        tcp.chain(self.udp.keys().map(|port| (*port, "udp".into())))
            .collect()
    }
    async fn udp_endpoint(&self, port: u16) -> Option<SocketAddr> {
        self.udp.get(&port).copied()
    }
    fn id(&self) -> String {
        "0123".into()
    }
    fn work(&self) -> Option<Work> {
        Some(self.work?(self.began.elapsed()))
    }
    async fn endpoint(&self, port: u16) -> Option<SocketAddr> {
        self.attempted.notify_one();
        self.reach(|moment| moment == Moment::Attempt);
        self.ports.get(&port).copied()
    }
    async fn exec(&self, command: &[String]) -> Result<ExecOutput, BoxError> {
        let before = self.execs.fetch_add(1, Ordering::Relaxed);
        let output = tokio::process::Command::new(&command[0])
            .args(&command[1..])
            .output()
            .await?;
        let failed = i64::from(before < self.exec_fails);
        Ok(ExecOutput {
            exit_code: i64::from(output.status.code().unwrap_or(-1)) + failed,
            stdout: output.stdout,
            stderr: output.stderr,
        })
    }
    async fn wait(&self) -> Result<i64, BoxError> {
        let mut exit = self.exit.subscribe();
        let code = *exit.wait_for(Option::is_some).await?;
        Ok(code.unwrap_or_default())
    }
    async fn output(&self) -> ExecOutput {
        ExecOutput {
            stdout: b"done\n".to_vec(),
            ..ExecOutput::default()
        }
    }
    fn first_answer(&self) {
        self.first_answers.fetch_add(1, Ordering::Relaxed);
    }
    async fn interrupted(&self) {
        self.interrupt.notified().await;
    }
    fn progress(&self, message: &str) {
        println!("  {message}");
        self.reach(|moment| matches!(moment, Moment::Step(step) if message == step));
    }
}

/// Returns all of a server's answer for a request's head and body; none closes the connection.
type Answers = Arc<dyn Fn(&str) -> Option<Vec<u8>> + Send + Sync>;

fn answer(status: &str, headers: &str, body: &str) -> Option<Vec<u8>> {
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
    Some(text.into_bytes())
}

fn page(body: &str) -> Option<Vec<u8>> {
    answer("200 OK", "content-type: text/html\r\n", body)
}

/// Serves HTTP on a port of its own.
async fn serve(answers: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    serve_on(listener, Arc::new(answers));
    address
}

fn serve_on(listener: TcpListener, answers: Answers) {
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(converse(stream, answers.clone()));
        }
    });
}

async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, answers: Answers) {
    while let Some(request) = read_request(&mut stream).await {
        let Some(bytes) = answers(&request) else {
            return;
        };
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut text = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).await.ok()?;
        if count == 0 {
            return None;
        }
        text.extend_from_slice(&buffer[..count]);
        let shown = String::from_utf8_lossy(&text).into_owned();
        // At a TLS hello or other bytes an HTTP server hangs up.
        if !shown.starts_with(|c: char| c.is_ascii_uppercase()) || shown.starts_with("PRI * HTTP/2") {
            return None;
        }
        let Some((head, body)) = shown.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length: ")?
                    .parse()
                    .ok()
            })
            .unwrap_or(0);
        if body.len() >= length {
            return Some(shown);
        }
    }
}

/// An address where nothing listens.
async fn nowhere() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

fn quick() -> Options {
    Options {
        readiness_deadline: Duration::from_secs(2),
        job_deadline: Duration::from_secs(2),
        ..Options::default()
    }
}

fn http(exchange: &Exchange) -> &HttpExchange {
    match &exchange.kind {
        ExchangeKind::Http(http) => http,
        other => panic!("not HTTP: {other:?}"),
    }
}

fn tcp(exchange: &Exchange) -> &TcpExchange {
    match &exchange.kind {
        ExchangeKind::Tcp(tcp) => tcp,
        other => panic!("not TCP: {other:?}"),
    }
}

/// `GET /path 200`, one for each exchange.
fn lines(probed: &Probed) -> Vec<String> {
    let line = |exchange: &Exchange| {
        let http = http(exchange);
        let status = http.response.as_ref().map(|response| response.status);
        let status = status.map_or("-".into(), |status| status.to_string());
        format!("{} {} {status}", http.method, http.path)
    };
    probed.exchanges.iter().map(line).collect()
}

fn path(request: &str) -> &str {
    request.split(' ').nth(1).unwrap_or_default()
}

#[tokio::test]
async fn a_site_is_crawled_and_answers_the_same_again() {
    let server = serve(|request| match path(request) {
        "/" => page(
            r#"<link rel=stylesheet href=/style.css><a href="/about">about</a><a href="/broken">x</a>
               <a href="http://example.com/">away</a><img src=logo.png>"#,
        ),
        "/style.css" => answer(
            "200 OK",
            "content-type: text/css\r\n",
            "a{background:url(bg.png)}",
        ),
        "/about" => page(r#"<a href="/deeper">deeper</a>"#),
        "/deeper" => page(r#"<a href="/deepest">deepest</a><img src="/deep.png">"#),
        "/old" => answer("301 Moved", "location: /new\r\nset-cookie: id=secret\r\n", ""),
        "/new" => page("new"),
        "/broken" => answer("500 Oh", "", "broken"),
        _ => answer("404 Not Found", "", "none"),
    })
    .await;
    let target = Local::new(&[(8080, server)]);
    let options = Options {
        http_paths: vec!["/old".into()],
        ..quick()
    };
    let probed = run(&target, &options).await.unwrap();
    assert_eq!(probed.kind, Kind::Http { ports: vec![8080] });
    assert_eq!(
        lines(&probed),
        [
            "GET / 200",
            "GET /old 301",
            "GET /style.css 200",
            "GET /about 200",
            "GET /broken 500",
            "GET /logo.png 404",
            "GET /new 200",
            "GET /bg.png 404",
            "GET /deeper 200",
            "GET /deep.png 404",
        ]
    );
    assert_eq!(target.first_answers.load(Ordering::Relaxed), 1);
    let old = http(&probed.exchanges[1]).response.as_ref().unwrap();
    let cookie = old.headers.iter().find(|header| header.name == "set-cookie");
    assert_eq!(cookie.unwrap().value, None);
    let root = http(&probed.exchanges[0]).response.as_ref().unwrap();
    assert!(root.complete && root.body.kept);
    assert!(probed.bodies[&root.body.digest].starts_with(b"<link rel=stylesheet"));

    let again = replay(&target, &probed.exchanges, &probed.bodies).await.unwrap();
    assert_eq!(again.exchanges, probed.exchanges);
}

#[tokio::test]
async fn a_crawl_is_bounded_in_pages() {
    // Every page links to a new one and to two new images.
    let server = serve(|request| {
        let path = path(request).trim_end_matches('/');
        if path.ends_with(".png") {
            return answer("200 OK", "content-type: image/png\r\n", "");
        }
        page(&format!(
            r#"<a href="{path}/a">a</a><img src="{path}/1.png"><img src="{path}/2.png">"#
        ))
    })
    .await;
    let options = Options {
        crawl_depth: 1000,
        crawl_pages: 3,
        ..quick()
    };
    let probed = run(&Local::new(&[(80, server)]), &options).await.unwrap();
    let pages = lines(&probed)
        .iter()
        .filter(|line| !line.contains(".png"))
        .count();
    assert_eq!(pages, 1 + 3);
    assert_eq!(probed.exchanges.len(), 4 + 4 * 2, "{:?}", lines(&probed));
    let options = Options {
        crawl_depth: 0,
        ..quick()
    };
    let probed = run(&Local::new(&[(80, server)]), &options).await.unwrap();
    assert_eq!(lines(&probed), ["GET / 200"]);
}

/// A certificate that nobody signed, by the `openssl` command.
fn self_signed(protocols: &[&str]) -> Option<TlsAcceptor> {
    let dir = tempfile::tempdir().unwrap();
    let made = tool("openssl", "openssl")?
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ])
        .args([
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
            "-subj",
            "/CN=another.example",
        ])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let certificate = CertificateDer::from_pem_file(dir.path().join("cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(dir.path().join("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    Some(TlsAcceptor::from(Arc::new(config)))
}

/// Answers every request over HTTP/2 with a page that names the path.
async fn converse_http2(stream: impl AsyncRead + AsyncWrite + Unpin) {
    let Ok(mut connection) = h2::server::handshake(stream).await else {
        return;
    };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let head = http::Response::builder()
            .header("content-type", "text/html")
            .body(())
            .unwrap();
        let mut body = respond.send_response(head, false).unwrap();
        let text = format!("<a href=/next>{}</a>", request.uri().path());
        body.send_data(text.into(), true).unwrap();
    }
}

#[tokio::test]
async fn https_with_a_self_signed_certificate_and_http2() {
    for (protocols, version) in [(vec!["h2", "http/1.1"], "HTTP/2.0"), (vec![], "HTTP/1.1")] {
        let Some(acceptor) = self_signed(&protocols) else {
            return;
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                        converse_http2(stream).await;
                    } else {
                        converse(stream, Arc::new(|_| page("<a href=/next>x</a>"))).await;
                    }
                });
            }
        });
        let target = Local::new(&[(8443, address)]);
        let probed = run(&target, &quick()).await.unwrap();
        assert_eq!(lines(&probed), ["GET / 200", "GET /next 200"]);
        let root = http(&probed.exchanges[0]);
        assert!(root.tls);
        assert_eq!(root.response.as_ref().unwrap().version, version);
        let again = replay(&target, &probed.exchanges, &probed.bodies).await.unwrap();
        assert_eq!(again.exchanges, probed.exchanges);
    }
}

#[tokio::test]
async fn http2_in_the_clear() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(converse_http2(stream));
        }
    });
    let target = Local::new(&[(50051, address)]);
    let probed = run(&target, &quick()).await.unwrap();
    let root = http(&probed.exchanges[0]);
    assert!(!root.tls);
    assert_eq!(root.response.as_ref().unwrap().version, "HTTP/2.0");
    let again = replay(&target, &probed.exchanges, &probed.bodies).await.unwrap();
    assert_eq!(again.exchanges, probed.exchanges);
}

/// Answers as a gRPC server with reflection and one service, and refuses what is no call.
async fn converse_grpc(stream: impl AsyncRead + AsyncWrite + Unpin, called: Arc<Mutex<Vec<String>>>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else {
        return;
    };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let called = called.clone();
        tokio::spawn(async move {
            let path = request.uri().path().to_owned();
            let mut question = request.into_body();
            let mut bytes = Vec::new();
            while let Some(Ok(chunk)) = question.data().await {
                bytes.extend_from_slice(&chunk);
            }
            let message = match (path.as_str(), bytes.get(5)) {
                ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Some(0x3a)) => {
                    Some(super::grpc::tests::list())
                }
                ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Some(0x22)) => {
                    Some(super::grpc::tests::description())
                }
                ("/shop.Orders/ListOrders", None) => Some(b"orders".to_vec()),
                _ => None,
            };
            called.lock().unwrap().push(path);
            let head = http::Response::builder().header("content-type", "application/grpc");
            match message {
                None => drop(respond.send_response(head.header("grpc-status", "12").body(()).unwrap(), true)),
                Some(message) => {
                    let mut body = respond.send_response(head.body(()).unwrap(), false).unwrap();
                    let framed = [&[0, 0, 0, 0, message.len() as u8][..], &message].concat();
                    body.send_data(framed.into(), false).unwrap();
                    let mut trailers = http::HeaderMap::new();
                    trailers.insert("grpc-status", "0".parse().unwrap());
                    body.send_trailers(trailers).unwrap();
                }
            }
        });
    }
}

#[tokio::test]
async fn a_grpc_server_is_asked_for_what_it_says_that_it_has() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let called = Arc::new(Mutex::new(Vec::new()));
    let log = called.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(converse_grpc(stream, log.clone()));
        }
    });
    let target = Local::new(&[(50051, address)]);
    let probed = run(&target, &quick()).await.unwrap();
    assert_eq!(
        lines(&probed),
        [
            "GET / 200",
            "POST /grpc.health.v1.Health/Check 200",
            "POST /grpc.reflection.v1.ServerReflection/ServerReflectionInfo 200",
            "POST /grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo 200",
            "POST /grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo 200",
            "POST /shop.Orders/ListOrders 200",
        ]
    );
    assert_eq!(
        probed.summary,
        ["port 50051 speaks gRPC: services by reflection 1, their methods called with an empty message 1"]
    );
    let orders = http(&probed.exchanges[5]).response.as_ref().unwrap();
    assert_eq!(&probed.bodies[&orders.body.digest][..], b"\0\0\0\0\x06orders");
    assert!(!called.lock().unwrap().iter().any(|path| path.contains("Delete")));
    let again = replay(&target, &probed.exchanges, &probed.bodies).await.unwrap();
    assert_eq!(again.exchanges, probed.exchanges);
}

#[tokio::test]
async fn errors_while_starting_are_waited_out() {
    let asked = AtomicUsize::new(0);
    let server = serve(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => None,
        1..6 => answer("503 Starting", "", ""),
        _ => page("ready"),
    })
    .await;
    let options = Options {
        mode: Mode::Http,
        ..quick()
    };
    let probed = run(&Local::new(&[(80, server)]), &options).await.unwrap();
    assert_eq!(lines(&probed), ["GET / 200"]);
}

#[tokio::test]
async fn a_late_listener_is_waited_for() {
    let address = nowhere().await;
    let target = Local::new(&[(80, address)]);
    let server = async {
        for _ in 0..2 {
            target.attempted.notified().await;
        }
        serve_on(
            TcpListener::bind(address).await.unwrap(),
            Arc::new(|_| page("late")),
        );
    };
    let options = quick();
    let (probed, ()) = tokio::join!(run(&target, &options), server);
    assert_eq!(lines(&probed.unwrap()), ["GET / 200"]);
}

#[tokio::test]
async fn a_first_answer_that_takes_its_time_is_http() {
    let requests = AtomicUsize::new(0);
    let server = serve(move |_| {
        if requests.fetch_add(1, Ordering::Relaxed) == 0 {
            // Until the probe gives the first request up.
            return Some(Vec::new());
        }
        page("compiled")
    })
    .await;
    let probed = run(&Local::new(&[(80, server)]), &Options::default())
        .await
        .unwrap();
    assert_eq!(lines(&probed), ["GET / 200"]);
}

#[tokio::test]
async fn a_root_that_stays_5xx_fails() {
    let server = serve(|_| answer("500 Oh", "", "")).await;
    let error = run(&Local::new(&[(80, server)]), &quick()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "GET http://localhost:80/: still 500 after 2 s; see the container's log, or exercise it with --probe exec or --for"
    );
}

#[tokio::test]
async fn the_same_5xx_is_an_answer_where_another_port_answers() {
    let ready = serve(|_| page("ready")).await;
    let stays = serve(|_| answer("503 No", "", "")).await;
    let target = Local::new(&[(80, ready), (8404, stays)]).asleep();
    target.listens("0.0.0.0", 80);
    target.listens("0.0.0.0", 8404);
    let probed = run(&target, &quick()).await.unwrap();
    assert_eq!(lines(&probed), ["GET / 200", "GET / 503"]);
    assert_eq!(
        probed.summary,
        ["port 8404 answers / with 503 all the time: taken for its answer"]
    );
    assert_eq!(probed.replay(&target).await.unwrap().exchanges, probed.exchanges);
    // One whose processes work is starting, and so is one that must answer.
    let working = |port| {
        let mut target = Local::new(&[(80, ready), (8404, stays)]);
        target.work = Some(|since| Work {
            processor: since,
            runnable: true,
        });
        target.listens("0.0.0.0", port);
        target
    };
    let named = Options {
        ports: vec![8404],
        ..quick()
    };
    for (target, options) in [(working(8404), quick()), (target, named)] {
        let error = run(&target, &options).await.unwrap_err();
        assert!(
            matches!(error, Error::StillFailing { status: 503, .. }),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_connection_closed_without_an_answer_fails() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            drop(listener.accept().await.unwrap());
        }
    });
    let target = Local::new(&[(80, address)]);
    let error = run(&target, &quick()).await.unwrap_err();
    let begins = "port 80 accepts connections: no answer after 2 s: ";
    assert!(error.to_string().starts_with(begins), "{error}");
    let options = Options {
        mode: Mode::Http,
        ..quick()
    };
    let error = run(&target, &options).await.unwrap_err();
    let begins = "GET http://localhost:80/: no answer after 2 s: ";
    assert!(error.to_string().starts_with(begins), "{error}");
}

#[tokio::test]
async fn an_explicit_5xx_fails_and_a_crawled_one_does_not() {
    let server = serve(|request| match path(request) {
        "/" => page("<a href=/bad>bad</a>"),
        _ => answer("500 Oh", "", ""),
    })
    .await;
    let target = Local::new(&[(80, server)]);
    let probed = run(&target, &quick()).await.unwrap();
    assert_eq!(lines(&probed), ["GET / 200", "GET /bad 500"]);
    let options = Options {
        http_paths: vec!["/bad".into()],
        ..quick()
    };
    let error = run(&target, &options).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "GET http://localhost:80/bad: still 500 after 2 s; see the container's log"
    );
}

#[tokio::test]
async fn a_port_that_greets_is_probed_as_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let _ = stream.write_all(b"hello, who is there?\r\n").await;
                let mut buffer = [0; 100];
                while let Ok(count) = stream.read(&mut buffer).await
                    && count > 0
                {
                    let _ = stream.write_all(&buffer[..count]).await;
                }
            });
        }
    });
    let target = Local::new(&[(7000, address)]);
    let probed = run(&target, &quick()).await.unwrap();
    assert_eq!(probed.kind, Kind::Tcp { ports: vec![7000] });
    assert_eq!(
        probed.summary,
        ["port 7000 speaks neither HTTP nor HTTPS: probed as TCP"]
    );
    let exchange = tcp(&probed.exchanges[0]);
    assert_eq!(exchange.sent, None);
    assert_eq!(
        &probed.bodies[&exchange.received.digest][..],
        b"hello, who is there?\r\n"
    );

    let options = Options {
        mode: Mode::Tcp,
        tcp_send: Some(b"me\r\n".to_vec()),
        ..quick()
    };
    let probed = run(&target, &options).await.unwrap();
    let exchange = tcp(&probed.exchanges[0]);
    assert_eq!(
        &probed.bodies[&exchange.received.digest][..],
        b"hello, who is there?\r\nme\r\n"
    );
    let again = replay(&target, &probed.exchanges, &probed.bodies).await.unwrap();
    assert_eq!(again.exchanges, probed.exchanges);
}

#[tokio::test]
async fn a_known_port_hears_its_own_hello() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = heard.clone();
    tokio::spawn(async move {
        let mut connections = 0;
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 100];
            let count = stream.read(&mut buffer).await.unwrap();
            log.lock().unwrap().push(buffer[..count].to_vec());
            connections += 1;
            let answer: &[u8] = if connections < 3 {
                b"-LOADING\r\n"
            } else {
                b"+PONG\r\n"
            };
            stream.write_all(answer).await.unwrap();
        }
    });
    let probed = run(&Local::new(&[(6379, address)]), &quick()).await.unwrap();
    assert_eq!(probed.summary, ["port 6379 speaks Redis: probed as TCP"]);
    let received = &tcp(&probed.exchanges[0]).received;
    assert_eq!(&probed.bodies[&received.digest][..], b"+PONG\r\n");
    // It never had to hear HTTP.
    assert_eq!(*heard.lock().unwrap(), vec![b"PING\r\n".to_vec(); 3]);
}

#[tokio::test]
async fn a_job_runs_until_it_exits() {
    let target = Local::new(&[]);
    target.exits_at(Moment::List, 0);
    let probed = run(&target, &quick()).await.unwrap();
    assert_eq!((&probed.kind, probed.exit_code), (&Kind::Job, Some(0)));
    let ExchangeKind::Exec(job) = &probed.exchanges[0].kind else {
        panic!("a job is recorded as a command");
    };
    assert!(job.command.is_empty() && job.exit_code == 0);
    assert_eq!(&probed.bodies[&job.stdout.digest][..], b"done\n");
    let again = replay(&target, &probed.exchanges, &probed.bodies).await.unwrap();
    assert_eq!(again.exchanges, probed.exchanges);
}

#[tokio::test]
async fn a_job_must_exit_as_expected() {
    let target = Local::new(&[]);
    target.exits(3);
    let error = run(&target, &quick()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the job exited with 3, expected 0; see its log, or pass --expect-exit 3 if that is right"
    );
    let options = Options {
        expect_exit: 3,
        ..quick()
    };
    assert_eq!(run(&target, &options).await.unwrap().exit_code, Some(3));
}

#[tokio::test]
async fn one_that_neither_listens_nor_exits_is_told_the_choices() {
    let error = run(&Local::new(&[]), &quick()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the container listens on no TCP port and did not exit within 2 s; choose what exercises it: --port PORT if it is to \
         listen, --until-exit with a longer --job-timeout for a job, --probe exec to run a command in it, --for 30s to watch \
         it for a time, or --until-interrupt to watch it until Ctrl-C"
    );
    let options = Options {
        end: End::After(Duration::from_millis(300)),
        ..quick()
    };
    let begun = Instant::now();
    let probed = run(&Local::new(&[]), &options).await.unwrap();
    assert_eq!(probed.kind, Kind::None);
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_server_that_exits_while_starting_fails_at_once() {
    let target = Local::new(&[(80, nowhere().await)]);
    target.exits_at(Moment::Attempt, 1);
    let begun = Instant::now();
    let error = run(&target, &Options::default()).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(
        error.to_string(),
        "the container exited with 1 while port 80 was waited for; see its log; if it is a job, pass --until-exit"
    );
}

#[tokio::test]
async fn ports_that_nobody_listens_on_cost_little() {
    let server = serve(|_| page("hi")).await;
    let target = Local::new(&[(80, server), (443, nowhere().await)]);
    target.listens("0.0.0.0", 80);
    let begun = Instant::now();
    let probed = run(&target, &Options::default()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(
        probed.summary,
        ["port 443 is exposed, but nothing listens on it: not probed"]
    );
    // A given port must answer.
    let options = Options {
        ports: vec![443],
        ..quick()
    };
    let error = run(&target, &options).await.unwrap_err();
    let begins = "nothing answered on port 443 within 2 s (Connection refused (os error 111)); see the container's log";
    assert!(error.to_string().starts_with(begins), "{error}");
}

#[tokio::test]
async fn a_port_seen_by_the_tracer_is_asked() {
    let server = serve(|_| page("hi")).await;
    let mut target = Local::new(&[(5000, server)]);
    target.exposed.clear();
    target.listens("0.0.0.0", 5000);
    let probed = run(&target, &quick()).await.unwrap();
    assert_eq!(probed.kind, Kind::Http { ports: vec![5000] });
}

#[tokio::test]
async fn a_listener_for_the_container_alone_is_named() {
    // An address of a container's own; it is never connected to.
    let mut target = Local::new(&[(5000, "192.0.2.1:5000".parse().unwrap())]);
    target.exposed.clear();
    target.listens("127.0.0.1", 5000);
    let error = run(&target, &quick()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the container listens on 127.0.0.1 port 5000, which is reached from inside the container only; make the app listen on \
         0.0.0.0, run it with --network host, or exercise it with --probe exec"
    );
}

#[tokio::test]
async fn a_command_is_run_once_the_container_is_ready() {
    let mut target = Local::new(&[]);
    target.exec_fails = 1;
    let options = Options {
        mode: Mode::Exec,
        exec: Some(vec!["echo".into(), "a b".into()]),
        ..quick()
    };
    let probed = run(&target, &options).await.unwrap();
    assert_eq!(probed.kind, Kind::Exec);
    let ExchangeKind::Exec(exec) = &probed.exchanges[0].kind else {
        panic!("not a command");
    };
    assert_eq!(&probed.bodies[&exec.stdout.digest][..], b"a b\n");
    let again = replay(&target, &probed.exchanges, &probed.bodies).await.unwrap();
    assert_eq!(again.exchanges, probed.exchanges);

    let options = Options {
        exec: Some(vec!["sh".into(), "-c".into(), "echo no >&2; exit 4".into()]),
        ..options
    };
    let error = run(&target, &options).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "\"sh -c echo no >&2; exit 4\" in the container exited with 4, expected 0: no"
    );
}

#[tokio::test]
async fn watching_ends_as_asked() {
    let target = Local::new(&[]);
    let none = |options: Options| Options {
        mode: Mode::None,
        ..options
    };
    let error = run(&target, &none(quick())).await.unwrap_err();
    assert!(
        error.to_string().starts_with("--probe none needs an end"),
        "{error}"
    );

    target.interrupt.notify_one();
    let options = none(Options {
        end: End::Interrupt,
        ..quick()
    });
    let watching = tokio::time::timeout(Duration::from_secs(5), run(&target, &options));
    assert_eq!(watching.await.unwrap().unwrap().kind, Kind::None);

    let options = none(Options {
        end: End::Exit,
        ..quick()
    });
    let error = run(&target, &options).await.unwrap_err();
    assert!(matches!(error, Error::StillRunning { seconds: 2 }), "{error}");
    target.exits_at(WATCHED, 0);
    let probed = run(&target, &options).await.unwrap();
    assert_eq!((probed.kind, probed.exit_code), (Kind::Job, Some(0)));
}

#[tokio::test]
async fn a_job_that_serves_for_a_while_may_exit() {
    let server = serve(|_| page("working")).await;
    let options = Options {
        end: End::Exit,
        ..quick()
    };
    let target = Local::new(&[(80, server)]);
    target.exits_at(WATCHED, 0);
    let probed = run(&target, &options).await.unwrap();
    assert_eq!(
        (&probed.kind, probed.exit_code),
        (&Kind::Http { ports: vec![80] }, Some(0))
    );
    let again = Local::new(&[(80, server)]);
    again.exits_at(Moment::Step("waiting for the job to exit"), 0);
    assert_eq!(probed.replay(&again).await.unwrap().exchanges, probed.exchanges);

    // The port that its image exposes need not answer.
    let target = Local::new(&[(80, nowhere().await)]);
    target.exits_at(Moment::Attempt, 0);
    let probed = run(&target, &options).await.unwrap();
    assert_eq!((probed.kind, probed.exit_code), (Kind::Job, Some(0)));
    let error = run(&Local::new(&[(80, nowhere().await)]), &options)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::StillRunning { seconds: 2 }), "{error}");
}

#[tokio::test]
async fn a_replay_waits_for_a_product_that_is_starting() {
    let first = serve(|_| page("ready")).await;
    let probed = run(&Local::new(&[(80, first)]), &quick()).await.unwrap();
    let asked = AtomicUsize::new(0);
    let product = serve(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0..3 => answer("503 Starting", "", ""),
        _ => page("ready"),
    })
    .await;
    let target = Local::new(&[(80, product)]);
    assert_eq!(probed.replay(&target).await.unwrap().exchanges, probed.exchanges);
    assert_eq!(target.first_answers.load(Ordering::Relaxed), 1);

    // One that never gets there answers otherwise, and one that exits is an error.
    let broken = serve(|_| answer("500 Oh", "", "")).await;
    let mut quickly = probed.clone();
    quickly.patience.readiness = Duration::from_millis(300);
    let again = quickly.replay(&Local::new(&[(80, broken)])).await.unwrap();
    assert_eq!(http(&again.exchanges[0]).response.as_ref().unwrap().status, 500);
    let target = Local::new(&[(80, nowhere().await)]);
    target.exits_at(Moment::Attempt, 127);
    let error = probed.replay(&target).await.unwrap_err();
    assert!(matches!(error, Error::Exited { code: 127, .. }), "{error}");
}

/// A file that is gone with the test.
fn file(name: &str, text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

#[tokio::test]
async fn a_probe_file_is_asked_in_order_and_judged() {
    let asked = Arc::new(AtomicUsize::new(0));
    let server = serve(move |request| match path(request) {
        "/" => answer("503 No", "", "always"),
        // The header's value comes from the environment; replayed, it must be there again.
        "/login" if request.contains("x-key: /") && request.ends_with("{\"user\":\"me\"}") => {
            answer("201 Created", "x-answer: yes\r\n", "welcome")
        }
        "/login" => answer("403 Forbidden", "", "who?"),
        "/slow" if asked.fetch_add(1, Ordering::Relaxed) < 2 => answer("500 Oh", "", ""),
        _ => page("there"),
    })
    .await;
    let target = Local::new(&[(8080, server)]);
    let (_dir, path) = file(
        "probe.yaml",
        "- {path: /, expect: {status: 503}}\n\
         - path: /login\n  headers: {X-Key: \"${PATH}\"}\n  json: {user: me}\n  \
           expect: {status: [200, 201], body-contains: come, header: {x-answer: yes}}\n\
         - {path: /slow, port: 8080}\n",
    );
    let options = Options {
        probe_file: Some(path),
        ..quick()
    };
    let probed = run(&target, &options).await.unwrap();
    assert_eq!(
        lines(&probed),
        ["GET / 503", "GET / 503", "POST /login 201", "GET /slow 200"]
    );
    let key = &http(&probed.exchanges[2]).headers[0];
    assert_eq!((key.name.as_str(), &key.value), ("x-key", &None));
    assert!(!format!("{probed:?}").contains(&std::env::var("PATH").unwrap()));
    assert_eq!(probed.replay(&target).await.unwrap().exchanges, probed.exchanges);
    // From the recording alone the request cannot be asked again.
    let again = replay(&target, &probed.exchanges, &probed.bodies).await.unwrap();
    let left: Vec<u32> = again.exchanges.iter().map(|exchange| exchange.sequence).collect();
    assert_eq!(left, [0, 1, 3]);
}

#[tokio::test]
async fn an_expectation_that_is_not_met_fails() {
    let server = serve(|_| page("hello")).await;
    let target = Local::new(&[(80, server)]);
    let mut errors = Vec::new();
    for text in [
        "- {path: /a, expect: {status: 404}}",
        "- {path: /b, method: DELETE, expect: {body-contains: bye}}",
        "- {path: /c, expect: {header: {location: null}}}",
        "- {path: /d, port: 81}",
    ] {
        let (_dir, path) = file("probe.yaml", text);
        let options = Options {
            probe_file: Some(path),
            ..quick()
        };
        errors.push(run(&target, &options).await.unwrap_err().to_string());
    }
    insta::assert_snapshot!(errors.join("\n"), @r#"
    GET http://localhost:80/a: expected status 404, got 200 ("hello")
    DELETE http://localhost:80/b: expected a body that contains "bye", got "hello"
    GET http://localhost:80/c: expected header location, got none
    nothing answered on port 81 within 2 s (not reached from this machine); see the container's log; if it listens elsewhere, name the port with --port; if it is a job, pass --until-exit; if it is only slow, pass a longer --ready-timeout
    "#);
}

#[tokio::test]
async fn an_api_description_is_walked() {
    const DESCRIPTION: &str = r#"{"openapi": "3.0.0", "servers": [{"url": "/api"}], "paths": {
        "/pets/{id}": {"delete": {"operationId": "kill"}, "get": {},
                       "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}}]},
        "/pets": {"post": {"requestBody": {"content": {"application/json": {"schema":
                    {"type": "object", "properties": {"name": {"type": "string", "example": "Rex"}}}}}}}}}}"#;
    let server = serve(|request| match path(request) {
        "/" => page("<a href=/api/about>about</a>"),
        "/openapi.json" => answer("200 OK", "content-type: application/json\r\n", DESCRIPTION),
        "/api/pets" if request.ends_with("{\"name\":\"Rex\"}") => answer("201 Created", "", ""),
        "/api/pets/1" if request.starts_with("DELETE") => answer("500 Oh", "", ""),
        "/api/about" => page("about"),
        _ => answer("404 Not Found", "", ""),
    })
    .await;
    let target = Local::new(&[(80, server)]);
    let (_dir, path) = file("api.json", DESCRIPTION);
    let mut options = Options {
        openapi: Some("/openapi.json".into()),
        ..quick()
    };
    let probed = run(&target, &options).await.unwrap();
    let walked = [
        "GET /api/pets/1 404",
        "POST /api/pets 201",
        "DELETE /api/pets/1 500",
    ];
    assert_eq!(
        lines(&probed),
        [
            &["GET / 200", "GET /api/about 200", "GET /openapi.json 200"][..],
            &walked
        ]
        .concat()
    );
    assert_eq!(
        probed.summary,
        [
            "3 operations of /openapi.json were asked: 1 succeeded, 1 were refused (4xx), 1 failed (5xx), 0 were not answered"
        ]
    );
    assert_eq!(probed.replay(&target).await.unwrap().exchanges, probed.exchanges);

    options.openapi = Some(path.to_str().unwrap().to_owned());
    let probed = run(&target, &options).await.unwrap();
    assert_eq!(lines(&probed)[2..], walked);

    options.openapi = Some("/nowhere.json".into());
    let error = run(&target, &options).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "GET http://localhost:80/nowhere.json: no OpenAPI or Swagger description: answered with 404; pass the path where the \
         app serves it, or a file (none is called /nowhere.json)"
    );
}

/// Answers datagrams on a port of its own.
async fn serve_udp(answer: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 2000];
        loop {
            let (count, from) = socket.recv_from(&mut buffer).await.unwrap();
            if let Some(answer) = answer(&buffer[..count]) {
                socket.send_to(&answer, from).await.unwrap();
            }
        }
    });
    address
}

/// The answer of a name server: the question, with the bit that says so.
fn named(question: &[u8]) -> Option<Vec<u8>> {
    let mut answer = question.to_vec();
    *answer.get_mut(2)? |= 0x80;
    Some(answer)
}

fn udp(exchange: &Exchange) -> &UdpExchange {
    match &exchange.kind {
        ExchangeKind::Udp(udp) => udp,
        other => panic!("not UDP: {other:?}"),
    }
}

#[tokio::test]
async fn a_name_server_over_udp_alone_answers_the_same_again() {
    // On its usual port, and on one of nobody's, where each protocol is tried.
    for (port, known) in [(53, "DNS"), (9999, "DNS")] {
        let server =
            serve_udp(|question| named(question).filter(|_| question.starts_with(b"sl\x01\x00\x00\x01")))
                .await;
        let mut target = Local::new(&[]).asleep();
        target.udp.insert(port, server);
        target.binds(port);
        let probed = run(&target, &quick()).await.unwrap();
        assert_eq!(probed.kind, Kind::Udp { ports: vec![port] });
        assert_eq!(probed.summary, [format!("port {port}/udp was asked as {known}")]);
        assert_eq!(target.first_answers.load(Ordering::Relaxed), 1);
        let exchange = udp(&probed.exchanges[0]);
        assert_eq!(exchange.port, port);
        assert!(probed.bodies[&exchange.received.digest].starts_with(b"sl\x81"));
        let again = replay(&target, &probed.exchanges, &probed.bodies).await.unwrap();
        assert_eq!(again.exchanges, probed.exchanges);
    }
}

#[tokio::test]
async fn a_name_server_that_is_still_starting_is_asked_again() {
    let asked = AtomicUsize::new(0);
    let server =
        serve_udp(move |question| named(question).filter(|_| asked.fetch_add(1, Ordering::Relaxed) > 3))
            .await;
    let mut target = Local::new(&[]).asleep();
    target.udp.insert(53, server);
    target.binds(53);
    let options = Options {
        readiness_deadline: Duration::from_secs(10),
        ..Options::default()
    };
    let probed = run(&target, &options).await.unwrap();
    assert!(udp(&probed.exchanges[0]).received.size > 0);
}

#[tokio::test]
async fn the_users_datagrams_come_first() {
    let server = serve_udp(|message| Some(message.to_ascii_uppercase())).await;
    let mut target = Local::new(&[]).asleep();
    target.udp.insert(53, server);
    target.binds(53);
    let given = ["53=68656c6c6f", "53=text:cafe", "53/udp=abc"];
    let options = Options {
        udp_send: given.map(|text| text.parse().unwrap()).to_vec(),
        ..quick()
    };
    let probed = run(&target, &options).await.unwrap();
    let received = |exchange| probed.bodies[&udp(exchange).received.digest].to_vec();
    let answers: Vec<Vec<u8>> = probed.exchanges.iter().map(received).collect();
    assert_eq!(answers, [b"HELLO".to_vec(), b"CAFE".to_vec(), b"ABC".to_vec()]);
    assert!(
        probed
            .exchanges
            .iter()
            .all(|exchange| exchange.origin == Origin::Flag)
    );
    for wrong in ["53", "0=ab", "x=ab", "70000=ab"] {
        assert!(wrong.parse::<Datagram>().is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_told_something() {
    let heard = Arc::new(AtomicUsize::new(0));
    let log = heard.clone();
    let server = serve_udp(move |message| {
        assert!(message.starts_with(b"<14>1 "));
        log.fetch_add(1, Ordering::Relaxed);
        None
    })
    .await;
    let mut target = Local::new(&[]).asleep();
    target.udp.insert(514, server);
    target.binds(514);
    let began = Instant::now();
    let probed = run(&target, &Options::default()).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(
        probed.summary,
        ["port 514/udp was asked as syslog, without an answer"]
    );
    assert_eq!(udp(&probed.exchanges[0]).received.size, 0);
    let again = replay(&target, &probed.exchanges, &probed.bodies).await.unwrap();
    assert_eq!(again.exchanges, probed.exchanges);
    assert_eq!(heard.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_silent_udp_port_that_should_answer_names_the_remedy() {
    let mut target = Local::new(&[]).asleep();
    target.udp.insert(53, serve_udp(|_| None).await);
    target.binds(53);
    let error = run(&target, &quick()).await.unwrap_err().to_string();
    assert!(
        error.contains("port 53/udp") && error.contains("--udp-send 53=HEX"),
        "{error}"
    );
}

/// Accepts connections and neither sends nor closes.
async fn silent() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            held.push(listener.accept().await.unwrap());
        }
    });
    address
}

/// Accepts connections and closes them.
async fn closing() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            drop(listener.accept().await.unwrap());
        }
    });
    address
}

#[tokio::test]
async fn silent_and_closing_ports_cost_a_second_of_idleness_together() {
    let site = serve(|_| page("here")).await;
    let mut ports = vec![(80, site)];
    for port in 7000..7002 {
        ports.push((port, silent().await));
        ports.push((port + 100, closing().await));
    }
    let target = Local::new(&ports).asleep();
    for (port, _) in &ports {
        target.listens("0.0.0.0", *port);
    }
    let began = Instant::now();
    let probed = run(&target, &Options::default()).await.unwrap();
    let took = began.elapsed();
    assert!(took < Duration::from_millis(2900), "{took:?}");
    assert_eq!(probed.kind, Kind::Http { ports: vec![80] });
    assert_eq!(probed.exchanges.len(), 3, "the site and the silent ones");
}

#[tokio::test]
async fn a_container_that_works_is_not_silent() {
    // A cold start: the first answers come when the processor has worked for two seconds.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut target = Local::new(&[(80, address)]);
    target.listens("0.0.0.0", 80);
    target.work = Some(|passed| Work {
        processor: passed.min(Duration::from_secs(2)),
        runnable: false,
    });
    let answer = |_: &str| {
        std::thread::sleep(Duration::from_secs(2));
        page("warm")
    };
    serve_on(listener, Arc::new(answer));
    let probed = run(&target, &Options::default()).await.unwrap();
    assert_eq!(probed.kind, Kind::Http { ports: vec![80] });
}

#[tokio::test]
async fn an_exposed_port_that_nobody_bound_is_not_spoken_of() {
    // Somebody else's server is there: on the host's network a port may be anybody's.
    let mut ports = vec![(80, serve(|_| page("here")).await)];
    ports.push((81, serve(|_| page("another's")).await));
    let mut target = Local::new(&ports).asleep();
    target.udp.insert(53, serve_udp(named).await);
    target.listens("0.0.0.0", 80);
    let probed = run(&target, &quick()).await.unwrap();
    assert_eq!(probed.kind, Kind::Http { ports: vec![80] });
    assert_eq!(lines(&probed), ["GET / 200"]);
    assert!(probed.summary.is_empty(), "{:?}", probed.summary);
    // One that the user named is.
    let options = Options {
        ports: vec![81],
        ..quick()
    };
    let probed = run(&target, &options).await.unwrap();
    assert_eq!(probed.kind, Kind::Http { ports: vec![81, 80] });
}

#[tokio::test]
async fn a_container_that_works_may_come_to_listen_on_another_exposed_port() {
    let ports = [
        (80, serve(|_| page("early")).await),
        (81, serve(|_| page("late")).await),
    ];
    let mut target = Local::new(&ports);
    target.work = Some(|passed| Work {
        processor: passed,
        runnable: true,
    });
    target.listens("0.0.0.0", 80);
    let options = quick();
    let late = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        target.listens("0.0.0.0", 81);
    };
    let (probed, ()) = tokio::join!(run(&target, &options), late);
    assert_eq!(probed.unwrap().kind, Kind::Http { ports: vec![80, 81] });
}

fn host(exchange: &Exchange) -> &HostExchange {
    match &exchange.kind {
        ExchangeKind::Host(host) => host,
        other => panic!("no test: {other:?}"),
    }
}

#[tokio::test]
async fn the_users_tests_run_beside_the_container_and_again_beside_another() {
    let site = serve(|_| page("here")).await;
    let target = Local::new(&[(8080, site)]);
    let says = "echo $SLIM_URL $SLIM_HOST $SLIM_PORT_8080 $SLIM_CONTAINER";
    let options = Options {
        run: vec![says.into(), format!("test $SLIM_PORT_8080 = {}", site.port())],
        ..quick()
    };
    let probed = run(&target, &options).await.unwrap();
    assert_eq!(probed.exchanges.len(), 3);
    let said = host(&probed.exchanges[1]);
    assert_eq!((said.command.as_str(), said.exit_code), (says, 0));
    assert_eq!(
        probed.bodies[&said.stdout.digest],
        format!("http://{site} 127.0.0.1 {} 0123\n", site.port())
    );
    // Another product is elsewhere, so the second test does not pass there.
    let elsewhere = Local::new(&[(8080, serve(|_| page("here")).await)]);
    let again = replay(&elsewhere, &probed.exchanges, &probed.bodies)
        .await
        .unwrap();
    let codes: Vec<i64> = again.exchanges[1..]
        .iter()
        .map(|exchange| host(exchange).exit_code)
        .collect();
    assert_eq!(codes, [0, 1]);
}

#[tokio::test]
async fn a_test_that_fails_on_the_original_is_an_error() {
    let target = Local::new(&[(8080, serve(|_| page("here")).await)]);
    let error = |command: &str| {
        let options = Options {
            run: vec![command.to_owned()],
            run_deadline: Duration::from_millis(300),
            ..quick()
        };
        let target = &target;
        async move { run(target, &options).await.unwrap_err().to_string() }
    };
    assert_eq!(
        error("echo no such page >&2; exit 4").await,
        "\"echo no such page >&2; exit 4\" on the host exited with 4 while the original was recorded, so it cannot judge the \
         slim image: mend it, or leave its --run out: no such page"
    );
    let late = error("echo waits; sleep 1000").await;
    assert!(
        late.ends_with("and was killed; if it is only slow, pass a longer --run-timeout: waits"),
        "{late}"
    );
}

#[tokio::test]
async fn without_a_probe_the_tests_are_the_probe() {
    let target = Local::new(&[(8080, serve(|_| page("here")).await)]);
    let options = Options {
        mode: Mode::None,
        run: vec!["test -n \"$SLIM_URL\"".into()],
        ..quick()
    };
    let probed = run(&target, &options).await.unwrap();
    assert_eq!((probed.kind, probed.exchanges.len()), (Kind::Exec, 1));
    // A job that is over cannot be tested.
    let job = Local::new(&[]);
    job.exits_at(Moment::List, 0);
    let options = Options {
        run: vec!["true".into()],
        ..quick()
    };
    assert!(matches!(
        run(&job, &options).await,
        Err(Error::Exited { code: 0, .. })
    ));
}
