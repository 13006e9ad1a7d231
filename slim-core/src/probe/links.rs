//! The links of a page.
//!
//! Only the tokenizer of the HTML parser is used: attributes of start tags are all that is needed, and it takes time
//! and memory linear in the page, however its elements nest.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::{Rawtext, Rcdata, ScriptData};
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};
use reqwest::Url;
use url::Position;

use super::http::Protocol;
use crate::recording::HttpResponse;

/// Length of a path at most; longer ones are not followed.
const LONGEST: usize = 8 << 10;
/// Number of links of one page at most.
const MOST: usize = 10_000;
/// Length of all paths of one page at most: a long base is part of each.
const ALL_PATHS: usize = 4 << 20;

/// The role of a link's target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// Part of the page: a script, a style, an image, a font, the target of a redirect.
    Part,
    /// Another page.
    Page,
}

/// A link to the same origin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Link {
    /// The role of its target.
    pub(super) role: Role,
    /// Path and query, percent-encoded; starts with `/`.
    pub(super) path: String,
}

/// Returns the links of an answer in the order of their appearance, each once. Only those to the same origin are: the
/// container's `port`, under any name of the container itself.
pub(super) fn links(
    path: &str,
    protocol: Protocol,
    port: u16,
    response: &HttpResponse,
    body: &[u8],
) -> Vec<Link> {
    let scheme = protocol.scheme();
    let Ok(page) = Url::parse(&format!("{scheme}://localhost{path}")) else {
        return Vec::new();
    };
    let mut found = Found {
        origin: (scheme.to_owned(), port),
        seen: BTreeSet::new(),
        length: 0,
        links: Vec::new(),
    };
    let value = |name: &str| {
        let header = response.headers.iter().find(|header| header.name == name);
        header.and_then(|header| header.value.as_deref())
    };
    if (300..400).contains(&response.status)
        && let Some(location) = value("location")
    {
        found.add(&page, Role::Part, location);
    }
    let kind = value("content-type").unwrap_or_default().to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    match kind {
        "text/css" => css(&String::from_utf8_lossy(body), &mut |link| {
            found.add(&page, Role::Part, link);
        }),
        "text/html" | "application/xhtml+xml" => html(body, page, &mut found),
        _ => {}
    }
    found.links
}

struct Found {
    origin: (String, u16),
    seen: BTreeSet<Link>,
    /// Length of all paths so far.
    length: usize,
    links: Vec<Link>,
}

impl Found {
    fn add(&mut self, base: &Url, role: Role, link: &str) {
        let link = link.trim();
        if link.is_empty() || self.links.len() >= MOST || link.len() > LONGEST {
            return;
        }
        let Ok(url) = base.join(link) else {
            return;
        };
        if !self.is_own(&url) {
            return;
        }
        let path = &url[Position::BeforePath..Position::AfterQuery];
        if !path.starts_with('/') || path.len() > LONGEST || self.length + path.len() > ALL_PATHS {
            return;
        }
        let link = Link {
            role,
            path: path.to_owned(),
        };
        if self.seen.insert(link.clone()) {
            self.length += link.path.len();
            self.links.push(link);
        }
    }

    /// Requests name `localhost` without a port; an app may also write the port it listens on.
    fn is_own(&self, url: &Url) -> bool {
        url.scheme() == self.origin.0
            && matches!(
                url.host_str(),
                Some("localhost" | "127.0.0.1" | "[::1]" | "0.0.0.0")
            )
            && url.port().is_none_or(|port| port == self.origin.1)
            && url.username().is_empty()
            && url.password().is_none()
    }
}

fn html(body: &[u8], page: Url, found: &mut Found) {
    let sink = Sink {
        base: RefCell::new(page.clone()),
        page,
        base_given: Cell::new(false),
        in_style: Cell::new(false),
        style: RefCell::new(String::new()),
        found: RefCell::new(found),
    };
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(String::from_utf8_lossy(body).as_ref()));
    let tokenizer = Tokenizer::new(sink, TokenizerOpts::default());
    let _ = tokenizer.feed(&input);
    tokenizer.end();
}

struct Sink<'a> {
    page: Url,
    base: RefCell<Url>,
    base_given: Cell<bool>,
    in_style: Cell<bool>,
    style: RefCell<String>,
    found: RefCell<&'a mut Found>,
}

impl Sink<'_> {
    fn add(&self, role: Role, link: &str) {
        self.found.borrow_mut().add(&self.base.borrow(), role, link);
    }

    fn css(&self, text: &str) {
        css(text, &mut |link| self.add(Role::Part, link));
    }

    fn start(&self, tag: &Tag) {
        let attribute = |name: &str| {
            let found = tag.attrs.iter().find(|attribute| &*attribute.name.local == name);
            found.map(|attribute| &*attribute.value)
        };
        let part = |names: &[&str]| {
            for link in names.iter().filter_map(|name| attribute(name)) {
                self.add(Role::Part, link);
            }
        };
        match &*tag.name {
            "base" => {
                // The first one counts (HTML, "the base element").
                if !self.base_given.get()
                    && let Some(href) = attribute("href")
                    && let Ok(base) = self.page.join(href)
                {
                    self.base_given.set(true);
                    *self.base.borrow_mut() = base;
                }
            }
            "a" | "area" => {
                if let Some(href) = attribute("href") {
                    self.add(Role::Page, href);
                }
            }
            "iframe" | "frame" => {
                if let Some(src) = attribute("src") {
                    self.add(Role::Page, src);
                }
            }
            "link" => {
                let rel = attribute("rel").unwrap_or_default().to_ascii_lowercase();
                let mut rels = rel.split_ascii_whitespace();
                const PAGES: [&str; 8] = [
                    "alternate",
                    "author",
                    "canonical",
                    "help",
                    "license",
                    "next",
                    "prev",
                    "search",
                ];
                const NOTHING: [&str; 4] = ["dns-prefetch", "preconnect", "pingback", "webmention"];
                let words: Vec<&str> = rels.by_ref().collect();
                if let Some(href) = attribute("href")
                    && !words.iter().any(|word| NOTHING.contains(word))
                {
                    let page =
                        words.iter().any(|word| PAGES.contains(word)) && !words.contains(&"stylesheet");
                    self.add(if page { Role::Page } else { Role::Part }, href);
                }
            }
            "script" | "embed" | "audio" | "track" => part(&["src"]),
            "img" | "source" => part(&["src"]),
            "input" => part(&["src"]),
            "video" => part(&["src", "poster"]),
            "object" => part(&["data"]),
            "body" | "table" | "td" | "th" => part(&["background"]),
            "image" | "use" => part(&["href", "xlink:href"]),
            "meta" => {
                let refresh =
                    attribute("http-equiv").is_some_and(|value| value.eq_ignore_ascii_case("refresh"));
                if refresh && let Some(content) = attribute("content") {
                    self.refresh(content);
                }
            }
            _ => {}
        }
        for name in ["srcset", "imagesrcset"] {
            for candidate in attribute(name).unwrap_or_default().split(',') {
                if let Some(link) = candidate.split_ascii_whitespace().next() {
                    self.add(Role::Part, link);
                }
            }
        }
        if let Some(style) = attribute("style") {
            self.css(style);
        }
    }

    /// `5; url=/there`.
    fn refresh(&self, content: &str) {
        let Some((_, rest)) = content.split_once([';', ',']) else {
            return;
        };
        let rest = rest.trim_start();
        let target = match rest.get(..3) {
            Some(prefix) if prefix.eq_ignore_ascii_case("url") => rest[3..]
                .trim_start()
                .strip_prefix('=')
                .map_or(rest, str::trim_start),
            _ => rest,
        };
        self.add(Role::Page, target.trim().trim_matches(['"', '\'']));
    }
}

impl TokenSink for Sink<'_> {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        match token {
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => {
                self.start(&tag);
                match &*tag.name {
                    "script" => return TokenSinkResult::RawData(ScriptData),
                    "style" => {
                        self.in_style.set(true);
                        return TokenSinkResult::RawData(Rawtext);
                    }
                    "xmp" | "noembed" | "noframes" => return TokenSinkResult::RawData(Rawtext),
                    "textarea" | "title" => return TokenSinkResult::RawData(Rcdata),
                    "plaintext" => return TokenSinkResult::Plaintext,
                    _ => {}
                }
            }
            Token::TagToken(tag) if &*tag.name == "style" => {
                self.in_style.set(false);
                let text = self.style.take();
                self.css(&text);
            }
            Token::CharacterTokens(text) if self.in_style.get() => {
                self.style.borrow_mut().push_str(&text);
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

/// Calls `each` with every `url(…)` and `@import "…"` of a style sheet.
fn css(text: &str, each: &mut dyn FnMut(&str)) {
    let mut rest = text;
    while let Some(at) = rest.find(['u', 'U', '@', '/']) {
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.find("*/").map_or("", |end| &comment[end + 2..]);
        } else if let Some(inside) = strip_prefix_ignoring_case(rest, "url(") {
            let inside = inside.trim_start();
            let (link, after) = match quoted(inside) {
                Some(parts) => parts,
                None => inside.split_at(inside.find(')').unwrap_or(inside.len())),
            };
            each(link.trim());
            rest = after;
        } else if let Some((link, after)) =
            strip_prefix_ignoring_case(rest, "@import").and_then(|rest| quoted(rest.trim_start()))
        {
            each(link);
            rest = after;
        } else {
            rest = &rest[1..];
        }
    }
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// The string at the beginning of `text`, without its quotes, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let inside = &text[1..];
    let end = inside.find([quote, '\n'])?;
    Some((&inside[..end], &inside[end + 1..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::digest::Digest;
    use crate::recording::{Body, Header};

    fn response(status: u16, headers: &[(&str, &str)]) -> HttpResponse {
        HttpResponse {
            status,
            version: "HTTP/1.1".into(),
            headers: headers
                .iter()
                .map(|(name, value)| Header {
                    name: (*name).into(),
                    value: Some((*value).into()),
                })
                .collect(),
            body: Body {
                digest: Digest::of(b""),
                size: 0,
                kept: true,
            },
            complete: true,
        }
    }

    fn links_in(kind: &str, body: &str) -> Vec<String> {
        let answer = response(200, &[("content-type", kind)]);
        links("/dir/page", Protocol::Http1, 8080, &answer, body.as_bytes())
            .into_iter()
            .map(|link| format!("{:?} {}", link.role, link.path))
            .collect()
    }

    #[test]
    fn a_page_names_its_parts_and_where_to_go() {
        let page = r##"<!DOCTYPE html><html><head>
            <title><a href="/not-a-link"></a></title>
            <link rel="stylesheet" href="style.css"><link rel="shortcut icon" href="/favicon.ico">
            <link rel=preconnect href="/never"><link rel="next" href="?page=2">
            <meta http-equiv="Refresh" content="5; URL='/later'">
            <style>@import "more.css"; body { background: url( 'bg.png' ) } /* url(/commented) */ </style>
            <script src="/app.js?v=1"></script><script>"<a href='/in-script'>"</script>
            </head><body style="background:URL(/inline.svg)">
            <!-- <a href="/commented"> --><a href="../up#part">up</a><a href="../up#other">again</a>
            <a href="http://localhost:8080/own">own</a><a href="http://127.0.0.1/own2">own</a>
            <a href="http://localhost:9090/other">other port</a><a href="https://localhost/other">other scheme</a>
            <a href="//example.com/x">away</a><a href="mailto:a@b">mail</a><a href="javascript:void(0)">js</a>
            <img src="a b.png" srcset="small.png 1x, /large.png 2x"><video poster=p.jpg><source src=v.mp4></video>
            <form action="/form"><input type=image src=button.png></form><svg><use xlink:href="icons.svg#x"/></svg>
            </body></html>"##;
        assert_eq!(
            links_in("text/html; charset=utf-8", page),
            [
                "Part /dir/style.css",
                "Part /favicon.ico",
                "Page /dir/page?page=2",
                "Page /later",
                "Part /dir/more.css",
                "Part /dir/bg.png",
                "Part /app.js?v=1",
                "Part /inline.svg",
                "Page /up",
                "Page /own",
                "Page /own2",
                "Part /dir/a%20b.png",
                "Part /dir/small.png",
                "Part /large.png",
                "Part /dir/p.jpg",
                "Part /dir/v.mp4",
                "Part /dir/button.png",
                "Part /dir/icons.svg",
            ]
        );
    }

    #[test]
    fn the_first_base_counts() {
        let page = r#"<base href="/app/"><base href="/no/"><a href="x">"#;
        assert_eq!(links_in("text/html", page), ["Page /app/x"]);
        let away = r#"<base href="http://example.com/"><a href="x"><a href="http://localhost/y">"#;
        assert_eq!(links_in("text/html", away), ["Page /y"]);
    }

    #[test]
    fn a_style_sheet_names_its_parts() {
        let sheet = "@import url(\"base.css\");@IMPORT 'print.css' print;\n@font-face{src:url(/f.woff2),url( g.woff )}\
                     .x{background:url(data:image/png;base64,AAAA)} .y{background:url(";
        assert_eq!(
            links_in("text/css", sheet),
            [
                "Part /dir/base.css",
                "Part /dir/print.css",
                "Part /f.woff2",
                "Part /dir/g.woff",
            ]
        );
    }

    #[test]
    fn a_redirect_is_followed_within_the_origin_only() {
        let to = |location| {
            links(
                "/a/b",
                Protocol::Http1,
                80,
                &response(302, &[("location", location)]),
                b"",
            )
        };
        assert_eq!(to("c")[0].path, "/a/c");
        assert_eq!(to("http://localhost/login?next=/")[0].path, "/login?next=/");
        assert_eq!(to("http://example.com/"), []);
        assert_eq!(to("//example.com/"), []);
        assert_eq!(to("https://localhost/"), []);
    }

    #[test]
    fn a_long_base_does_not_multiply() {
        let mut page = format!("<base href=\"/{}/\">", "b".repeat(8000));
        for i in 0..5000 {
            page += &format!("<a href={i}>");
        }
        let answer = response(200, &[("content-type", "text/html")]);
        let found = links("/", Protocol::Http1, 80, &answer, page.as_bytes());
        let length: usize = found.iter().map(|link| link.path.len()).sum();
        assert!(!found.is_empty() && length <= ALL_PATHS, "{length}");
    }

    #[test]
    fn deep_nesting_is_no_trouble() {
        let page = "<b><p><table>".repeat(80_000) + "<a href=/deep>";
        assert_eq!(links_in("text/html", &page), ["Page /deep"]);
    }

    proptest! {
        #[test]
        fn no_page_leads_away_or_panics(
            body in r#"(<(a href|img src|base href|meta http-equiv=refresh content|link href|style|p style|img srcset)=?['"]?(0;url=|url\()?(https?:)?[/\\]{0,3}(localhost|127\.0\.0\.1|evil\.example|[a-z@:#?%]{0,5}|\PC{0,5})(:8080|:1)?[/\\]?\PC{0,8}['"]?>?){1,8}"#,
            location in r"(https?:)?[/\\]{0,3}(localhost|evil\.example|\PC{0,6})\PC{0,8}",
        ) {
            for kind in ["text/html", "text/css"] {
                let answer = response(302, &[("content-type", kind), ("location", &location)]);
                for link in links("/x", Protocol::Http1, 8080, &answer, body.as_bytes()) {
                    prop_assert!(link.path.starts_with('/'), "{link:?}");
                    prop_assert!(!link.path.contains('#') && link.path.bytes().all(|b| b.is_ascii_graphic()), "{link:?}");
                    // What is asked for is on the endpoint that is asked.
                    let url = Url::parse(&format!("http://localhost{}", link.path)).unwrap();
                    prop_assert_eq!(url.host_str(), Some("localhost"));
                    prop_assert_eq!(url.port(), None);
                }
            }
        }
    }
}
