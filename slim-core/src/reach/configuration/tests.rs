use super::MAX_MATCHES;
use crate::path::RootPath;
use crate::reach::tests::{kept, used};

/// What is kept beside `path` when that was used, without directories of other kept things.
fn needed(items: &[(&str, &[u8])], path: &str) -> Vec<String> {
    let kept = kept(items, vec![used(path)]);
    let mut last = kept.clone();
    last.retain(|above| {
        let directory = RootPath::new(above);
        above != path
            && !kept
                .iter()
                .any(|below| below != above && RootPath::new(below).starts_with(&directory))
    });
    last
}

#[test]
fn nginx_includes_pages_and_files() {
    let items: &[(&str, &[u8])] = &[
        (
            "/etc/nginx/nginx.conf",
            b"# include none;\nload_module modules/a.so;\nhttp { include mime.types; include conf.d/*.conf;\n\
              error_log /var/log/nginx/error.log; server { root /srv/www; error_page 500 502 '/50x.html';\n\
              ssl_certificate \"tls/c.pem\"; location ~ ^/(a|b){1}$ { try_files $uri /page.html =404; } } }",
        ),
        ("/etc/nginx/mime.types", b"types {}"),
        ("/etc/nginx/conf.d/a.conf", b""),
        ("/etc/nginx/conf.d/b.conf", b"-> ../b.conf"),
        ("/etc/nginx/b.conf", b""),
        ("/etc/nginx/conf.d/.hidden.conf", b""),
        ("/etc/nginx/conf.d/other", b""),
        ("/etc/nginx/tls/c.pem", b"x"),
        ("/etc/nginx/none", b""),
        ("/usr/lib/nginx/modules/a.so", b"x"),
        ("/srv/www/50x.html", b"x"),
        ("/srv/www/page.html", b"x"),
        ("/var/log/nginx/", b""),
    ];
    assert_eq!(
        needed(items, "/etc/nginx/nginx.conf"),
        [
            "/etc/nginx/b.conf",
            "/etc/nginx/conf.d/a.conf",
            "/etc/nginx/conf.d/b.conf",
            "/etc/nginx/mime.types",
            "/etc/nginx/tls/c.pem",
            "/srv/www/50x.html",
            "/srv/www/page.html",
            "/usr/lib/nginx/modules/a.so",
            "/var/log/nginx"
        ]
    );
}

#[test]
fn nginx_by_its_shape_elsewhere_and_nothing_of_comments() {
    let items: &[(&str, &[u8])] = &[
        ("/app/site.conf", b"server { auth_basic_user_file users; }"),
        ("/etc/nginx/users", b"x"),
    ];
    assert_eq!(needed(items, "/app/site.conf"), ["/etc/nginx/users"]);
    let items: &[(&str, &[u8])] = &[
        ("/app/site.conf", b"# server {\nauth_basic_user_file users;"),
        ("/etc/nginx/users", b"x"),
    ];
    assert_eq!(needed(items, "/app/site.conf"), Vec::<String>::new());
}

#[test]
fn apache_variables_modules_and_error_documents() {
    let items: &[(&str, &[u8])] = &[
        (
            "/etc/apache2/apache2.conf",
            b"Define DOCS /var/www/html\nIncludeOptional mods-enabled/*.load\nErrorLog ${APACHE_LOG_DIR}/error.log\n\
              <VirtualHost *:80>\n DocumentRoot \"${DOCS}\"\n ErrorDocument 404 \\\n /404.html\n</VirtualHost>\n\
              #LoadModule x /usr/lib/apache2/modules/x.so\nLoadModule y_module /usr/lib/apache2/modules/y.so",
        ),
        ("/etc/apache2/envvars", b"export APACHE_LOG_DIR=/var/log/apache2$SUFFIX\n"),
        ("/etc/apache2/mods-enabled/m.load", b"-> ../mods-available/m.load"),
        ("/etc/apache2/mods-available/m.load", b"LoadModule"),
        ("/usr/lib/apache2/modules/x.so", b""),
        ("/usr/lib/apache2/modules/y.so", b""),
        ("/var/log/apache2/", b""),
        ("/var/www/html/404.html", b"x"),
    ];
    assert_eq!(
        needed(items, "/etc/apache2/apache2.conf"),
        [
            "/etc/apache2/mods-available/m.load",
            "/etc/apache2/mods-enabled/m.load",
            "/usr/lib/apache2/modules/y.so",
            "/var/log/apache2",
            "/var/www/html/404.html"
        ]
    );
}

#[test]
fn php_scans_its_directory_and_loads_extensions() {
    let items: &[(&str, &[u8])] = &[
        (
            "/etc/php/8.2/fpm/php.ini",
            b"; extension=none\nextension = gd\nsession.save_path = \"/var/lib/s\" ; here",
        ),
        ("/etc/php/8.2/fpm/conf.d/20-a.ini", b"zend_extension=opcache.so"),
        ("/usr/lib/php/2022/gd.so", b"x"),
        ("/usr/lib/php/2022/none.so", b"x"),
        ("/usr/lib/php/2022/opcache.so", b"x"),
        ("/var/lib/s/", b""),
    ];
    let conf_d = ["/etc/php/8.2/fpm/conf.d", "/etc/php/8.2/fpm/conf.d/20-a.ini"];
    assert_eq!(
        needed(items, "/etc/php/8.2/fpm/php.ini"),
        [
            conf_d[1],
            "/usr/lib/php/2022/gd.so",
            "/usr/lib/php/2022/opcache.so",
            "/var/lib/s"
        ]
    );
    assert_eq!(
        needed(items, conf_d[0]),
        [conf_d[1], "/usr/lib/php/2022/opcache.so"]
    );
    assert_eq!(needed(items, conf_d[1]), ["/usr/lib/php/2022/opcache.so"]);
}

#[test]
fn supervisord_and_generic_paths() {
    let items: &[(&str, &[u8])] = &[
        (
            "/etc/supervisor/s.conf",
            b"[supervisord]\n[include]\nfiles = conf.d/*.conf\n",
        ),
        ("/etc/supervisor/conf.d/a.conf", b""),
        (
            "/app/app.yml",
            b"# /app/no/x\ndata: \"/app/data/x\"\nurl: http://app/data/y\n",
        ),
        ("/app/data/x", b""),
        ("/app/data/y", b""),
        ("/app/no/x", b""),
        ("/usr/share/p/app.yml", b"/app/data/x"),
    ];
    assert_eq!(
        needed(items, "/etc/supervisor/s.conf"),
        ["/etc/supervisor/conf.d/a.conf"]
    );
    assert_eq!(needed(items, "/app/app.yml"), ["/app/data/x"]);
    assert_eq!(needed(items, "/usr/share/p/app.yml"), Vec::<String>::new());
}

#[test]
fn hostile_files_are_bounded() {
    let names: Vec<String> = (0..3000).map(|i| format!("/etc/nginx/d/{i}.conf")).collect();
    let deep = b"server{".repeat(100_000);
    let mut items: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    items.push((
        "/etc/nginx/nginx.conf",
        b"include d/*; include nginx.conf; include d/[; include \"x\\",
    ));
    items.push(("/etc/nginx/deep.conf", &deep));
    assert_eq!(needed(&items, "/etc/nginx/nginx.conf").len(), MAX_MATCHES);
    needed(&items, "/etc/nginx/deep.conf");
}
