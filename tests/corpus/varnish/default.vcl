vcl 4.1;
import std;
import directors;
import cookie;
import blob;
backend one { .host = "127.0.0.1"; .port = "8081"; }
backend none { .host = "127.0.0.1"; .port = "9"; }
acl local { "127.0.0.0"/8; "172.16.0.0"/12; }
sub vcl_init {
    new pool = directors.fallback();
    pool.add_backend(none);
    pool.add_backend(one);
}
sub vcl_recv {
    set req.backend_hint = one;
    if (req.method == "PURGE") {
        if (client.ip !~ local) { return (synth(405)); }
        return (purge);
    }
    if (req.method == "BAN") { ban("obj.http.x-url ~ ^/long"); return (synth(200, "banned")); }
    if (req.url ~ "^/down") { set req.backend_hint = none; return (pass); }
    if (req.url ~ "^/tool") { return (synth(700)); }
    if (req.url ~ "^/piped") { set req.url = "/"; return (pipe); }
    cookie.parse(req.http.cookie);
    cookie.keep("lang");
    set req.http.x-lang = cookie.get("lang");
    unset req.http.cookie;
}
sub vcl_backend_response {
    set beresp.http.x-url = bereq.url;
    set beresp.do_esi = bereq.url ~ "parts";
    set beresp.grace = 10s;
}
sub vcl_synth {
    if (resp.status == 700) {
        set resp.status = 200;
        set resp.http.content-type = "text/plain";
        synthetic(std.toupper("tool ") + std.querysort(req.url) + " " + blob.transcode(decoding = IDENTITY, encoding = BASE64, encoded = "hello") + " " + std.fileread("/srv/site/late.txt"));
        return (deliver);
    }
    synthetic("<h1>" + resp.status + " " + resp.reason + "</h1>");
    return (deliver);
}
sub vcl_backend_error {
    synthetic("<h1>Down</h1>");
    return (deliver);
}
sub vcl_deliver {
    set resp.http.x-cache = obj.hits;
    unset resp.http.x-varnish;
}
