//! The samples themselves answer as the end-to-end tests expect: without that, a slim image that differs proves nothing.

use slim_tests::{Container, Image, http_get, wait_until};
use std::time::Duration;

/// The sample's container, and what it answers to each path.
fn answers(sample: &str, port: u16, paths: &[&str]) -> Vec<(u16, String)> {
    let container = Container::run(&[&Image::sample(sample)]);
    let address = container.address(port);
    paths
        .iter()
        .map(|path| http_get(address, path))
        .map(|answer| (answer.status, answer.text()))
        .collect()
}

#[test]
fn nginx_serves_pages_and_its_own_error_page() {
    let answers = answers("nginx", 80, &["/", "/docs/guide.html", "/nothing"]);
    assert!(answers[0].1.contains("/about.html"), "{answers:?}");
    assert_eq!([answers[1].0, answers[2].0], [200, 404], "{answers:?}");
    assert!(answers[2].1.contains("There is nothing here."), "{answers:?}");
}

#[test]
fn node_loads_a_module_on_first_use() {
    let answers = answers(
        "node-express",
        3000,
        &["/", "/api/status", "/guide", "/time/Asia/Tokyo", "/nothing"],
    );
    assert!(answers[0].1.contains("/api/status"), "{answers:?}");
    assert_eq!(answers[1], (200, r#"{"status":"ok","items":3}"#.to_owned()));
    assert!(answers[2].1.starts_with("<h1>Guide</h1>"), "{answers:?}");
    assert!(answers[3].1.contains("9:00:00"), "{answers:?}");
    assert_eq!(answers[4].0, 404, "{answers:?}");
}

#[test]
fn flask_answers_on_linked_and_unlinked_routes() {
    let answers = answers(
        "python-flask",
        8000,
        &["/", "/zones/Asia/Tokyo", "/export.csv", "/search?q=to", "/whoami"],
    );
    assert!(answers[0].1.contains("/zones/Europe/Paris"), "{answers:?}");
    assert!(answers[1].1.contains("JST"), "{answers:?}");
    assert!(answers[2].1.starts_with("id,name,stock"), "{answers:?}");
    assert_eq!(answers[3].1.trim(), r#"["tongs"]"#);
    assert_eq!(answers[4].1.trim(), r#"{"user":"root"}"#);
}

#[test]
fn batch_prints_its_report_and_exits() {
    let container = Container::run(&[&Image::sample("batch")]);
    assert_eq!(container.wait(), 0, "{}", container.logs());
    assert!(
        container.logs().contains("2024-01-02   2     384.00\n"),
        "{}",
        container.logs()
    );
}

#[test]
fn multi_runs_a_worker_beside_its_web_server_and_becomes_healthy() {
    let container = Container::run(&[&Image::sample("multi")]);
    let address = container.address(8080);
    assert_eq!(
        http_get(address, "/cgi-bin/greeting").text(),
        "Hello from the smithy\n"
    );
    assert_eq!(
        http_get(address, "/status.txt").text(),
        "ready: 5 lines of settings\n"
    );
    assert!(http_get(address, "/cgi-bin/report").text().starts_with("app\n"));
    wait_until("a healthy container", Duration::from_secs(30), || {
        container.inspect("{{.State.Health.Status}}") == "healthy"
    });
}
