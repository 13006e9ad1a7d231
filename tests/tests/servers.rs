//! Servers that speak other protocols than HTTP, from Debian: recorded, verified, and started under their profiles.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::time::Duration;

use slim_core::recording::{Exchange, ExchangeKind, Recording};
use slim_tests::{
    Image, assert_exit, docker, require_docker, require_root, run, slim, wait_until, workspace,
};

/// The image with all of them. It stays: the engine's cache makes the next build of it cheap.
static IMAGE: LazyLock<String> = LazyLock::new(|| {
    require_root();
    require_docker();
    let tag = "slim-test-servers".to_owned();
    let folder = workspace().join("tests/servers");
    docker(&[
        "build",
        "--quiet",
        "--network",
        "host",
        "--tag",
        &tag,
        &folder.to_string_lossy(),
    ]);
    tag
});

const UNBOUND: &[&str] = &["unbound", "-d"];
const POSTGRES: &str = "exec /usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/15/main -c config_file=/etc/postgresql/15/main/postgresql.conf -c listen_addresses='*'";

/// A product in the making.
struct Build {
    product: Image,
    output: tempfile::TempDir,
}

impl Build {
    fn new(name: &str) -> Self {
        Self {
            product: Image::to_be(name),
            output: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> &Path {
        self.output.path()
    }

    fn command(&self, options: &[&str], command: &[&str]) -> Command {
        let mut slim = slim();
        slim.args(["build", &IMAGE, "--tag", self.product.tag(), "--output"])
            .arg(self.path())
            .args(options)
            .arg("--")
            .args(command);
        slim
    }

    fn run(&self, options: &[&str], command: &[&str]) -> Output {
        self.command(options, command).output().unwrap()
    }

    /// The exchanges of the recorded run.
    fn exchanges(&self) -> Vec<Exchange> {
        let recording = Recording::load(self.path()).unwrap();
        let run = recording.runs.into_values().find(|run| !run.exchanges.is_empty());
        run.map(|run| run.exchanges.clone()).unwrap_or_default()
    }

    /// The milliseconds that the probe took.
    fn probe_ms(&self) -> u64 {
        let report = std::fs::read(self.path().join("report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
        let mut stages = report["stages"].as_array().unwrap().iter();
        stages.find(|stage| stage["stage"] == "probe").unwrap()["ms"]
            .as_u64()
            .unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Builds, and returns the build, whose product was found good.
fn built(name: &str, options: &[&str], command: &[&str]) -> Build {
    let build = Build::new(name);
    assert_exit(&build.run(options, command), 0);
    // One that waits for clocks takes twenty seconds.
    assert!(build.probe_ms() < 9_000, "the probe took {} ms", build.probe_ms());
    build
}

fn size_received(exchange: &Exchange) -> u64 {
    match &exchange.kind {
        ExchangeKind::Tcp(tcp) => tcp.received.size,
        ExchangeKind::Udp(udp) => udp.received.size,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_resolver_over_udp_alone_starts_under_its_profile() {
    let build = built("unbound", &[], UNBOUND);
    let exchanges = build.exchanges();
    assert!(
        matches!(&exchanges[..], [Exchange { kind: ExchangeKind::Udp(udp), .. }] if udp.port == 53 && udp.received.size > 12),
        "{exchanges:?}"
    );
    // And again from what was written, without a word.
    let again = slim().arg("verify").arg(build.path()).output().unwrap();
    assert_exit(&again, 0);
    let text = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(text.contains("1 of 1 answers alike"), "{text}");
}

#[test]
fn a_resolver_over_both_is_asked_over_both_and_what_the_user_says() {
    // The question for www.example, type A.
    let question = "53=aaaa0100000100000000000003777777076578616d706c650000010001";
    let build = built(
        "dnsmasq",
        &["--udp-send", question],
        &[
            "dnsmasq",
            "-k",
            "--log-facility=-",
            "--address=/www.example/192.0.2.1",
        ],
    );
    let exchanges = build.exchanges();
    let udp: Vec<u64> = exchanges
        .iter()
        .filter(|exchange| matches!(exchange.kind, ExchangeKind::Udp(_)))
        .map(size_received)
        .collect();
    // The question's 29 bytes, and an address of 16.
    assert_eq!(udp, [45]);
    let tcp = |exchange: &Exchange| matches!(&exchange.kind, ExchangeKind::Tcp(tcp) if tcp.port == 53);
    assert!(
        exchanges
            .iter()
            .any(|exchange| tcp(exchange) && size_received(exchange) > 14)
    );
}

#[test]
fn databases_and_brokers_are_spoken_to_further_than_their_greeting() {
    let redis: &[&str] = &["redis-server", "--protected-mode", "no"];
    let memcached: &[&str] = &["memcached", "-u", "memcache"];
    let mosquitto: &[&str] = &["mosquitto", "-c", "/etc/mosquitto/mosquitto.conf"];
    for (name, port, command, least) in [
        (
            "redis",
            6379,
            redis,
            "+PONG\r\n$4\r\nslim\r\n:0\r\n:1\r\n+OK\r\n".len(),
        ),
        ("memcached", 11211, memcached, "VERSION 1.6.18\r\nEND\r\n".len()),
        // CONNACK, SUBACK, the message that comes back, PINGRESP.
        ("mosquitto", 1883, mosquitto, 4 + 5 + 13 + 2),
    ] {
        let build = built(name, &[], command);
        let exchanges = build.exchanges();
        let received: Vec<u64> = exchanges.iter().map(size_received).collect();
        let ports =
            |exchange: &Exchange| matches!(&exchange.kind, ExchangeKind::Tcp(tcp) if tcp.port == port);
        assert!(exchanges.iter().all(ports), "{name}: {exchanges:?}");
        assert_eq!(received, [least as u64], "{name}");
    }
}

#[test]
fn a_database_whose_answers_hold_random_numbers_is_verified() {
    let build = built("postgres", &["--user", "postgres"], &["sh", "-c", POSTGRES]);
    let [exchange] = &build.exchanges()[..] else {
        panic!("one conversation");
    };
    // The parameters, and the answer to the query.
    assert!(size_received(exchange) > 400, "{exchange:?}");
}

#[test]
fn a_grpc_server_is_called_where_it_only_reads() {
    let build = built("grpc", &[], &["python3", "/srv/orders.py"]);
    let paths: Vec<String> = build
        .exchanges()
        .iter()
        .filter_map(|exchange| match &exchange.kind {
            ExchangeKind::Http(http) => Some(http.path.clone()),
            _ => None,
        })
        .collect();
    assert!(paths.contains(&"/shop.Orders/ListOrders".to_owned()), "{paths:?}");
    assert!(!paths.iter().any(|path| path.contains("Delete")), "{paths:?}");
}

const SITE: &[&str] = &["busybox", "httpd", "-f", "-p", "8080", "-h", "/srv/site"];

#[test]
fn a_test_that_passes_on_the_original_alone_is_a_difference() {
    let build = Build::new("tests-differ");
    let test = "curl --silent --fail --show-error \"$SLIM_URL/two.html\"";
    let options = ["--run", test, "--exclude", "/srv/site/two.html"];
    let output = build.run(&options, SITE);
    assert_exit(&output, 3);
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &said(&output);
    assert!(text.contains("on the host") && text.contains("404"), "{text}");
}

#[test]
fn what_a_test_needs_is_healed_and_a_recorded_test_needs_a_word() {
    let build = Build::new("tests-heal");
    // Another page the second time, which nobody has asked for while the original was recorded.
    let state = build
        .path()
        .parent()
        .unwrap()
        .join(format!("{}-state", build.product.tag()));
    let test = format!(
        "page=two; [ -e {0} ] || page=one; touch {0}; curl --silent --fail \"$SLIM_URL/$page.html\"",
        state.display()
    );
    let options = ["--run", &test, "--keep", "observed", "--crawl-depth", "0"];
    let output = build.run(&options, SITE);
    std::fs::remove_file(&state).unwrap();
    assert_exit(&output, 0);
    let report = std::fs::read_to_string(build.path().join("report.json")).unwrap();
    assert!(report.contains("/srv/site/two.html"), "nothing was healed");

    let verify = |words: &[&str]| {
        slim()
            .arg("verify")
            .arg(build.path())
            .args(words)
            .output()
            .unwrap()
    };
    let refused = verify(&[]);
    assert_exit(&refused, 1);
    assert!(
        said(&refused).contains("--allow-recorded 'run="),
        "{}",
        said(&refused)
    );
    assert!(!state.exists(), "a recorded command was executed");
    let anew = slim()
        .args([
            "build",
            &IMAGE,
            "--no-record",
            "--tag",
            build.product.tag(),
            "--recording",
        ])
        .arg(build.path())
        .arg("--output")
        .arg(build.path().join("anew"))
        .output()
        .unwrap();
    assert_exit(&anew, 1);
    assert!(!state.exists(), "a recorded command was executed");
    assert_exit(&verify(&["--allow-recorded", "run"]), 0);
    std::fs::remove_file(&state).unwrap();
}

#[test]
fn after_ctrl_c_a_build_goes_on_to_the_product() {
    let build = Build::new("interrupt");
    let probed = build.path().join("probed");
    let touch = format!("touch {}", probed.display());
    let options = ["--until-interrupt", "--run", &touch];
    let mut child = build.command(&options, SITE).spawn().unwrap();
    wait_until("the last of the probe", Duration::from_secs(60), || {
        assert_eq!(child.try_wait().unwrap(), None, "slim ended");
        probed.exists()
    });
    run(Command::new("kill").args(["-INT", &child.id().to_string()]));
    assert!(child.wait().unwrap().success());
    assert!(build.path().join("seccomp.json").exists());
}
