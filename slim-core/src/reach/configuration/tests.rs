use super::directive::MAX_MATCHES;
use crate::path::RootPath;
use crate::reach::tests::{kept, used};

/// Returns what is kept beside `path` when that was used, without directories of other kept things.
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
        (
            "/etc/mail/master.cf",
            b"policy unix - - spawn\n  user=x argv=/app/data/x -a\n",
        ),
        ("/etc/mail/x.pem", b"/app/data/x"),
    ];
    assert_eq!(
        needed(items, "/etc/supervisor/s.conf"),
        ["/etc/supervisor/conf.d/a.conf"]
    );
    assert_eq!(needed(items, "/app/app.yml"), ["/app/data/x"]);
    assert_eq!(needed(items, "/etc/mail/master.cf"), ["/app/data/x"]);
    for path in ["/usr/share/p/app.yml", "/etc/mail/x.pem"] {
        assert_eq!(needed(items, path), Vec::<String>::new());
    }
}

#[test]
fn supervisord_pools_and_cron_name_programs_directories_and_files() {
    let items: &[(&str, &[u8])] = &[
        (
            "/etc/supervisor/s.conf",
            b"[supervisord]\nlogfile=/var/log/s.log\n[program:web]\ncommand=worker --config /etc/worker.toml\n\
              directory=/srv/worker\nuser=www-data\nstdout_logfile=/var/log/web/out.log\n",
        ),
        ("/etc/php/8.2/fpm/php-fpm.conf", b"include=/etc/php/8.2/fpm/pool.d/*.conf\n"),
        ("/etc/php/8.2/fpm/pool.d/www.conf", b"[www]\nlisten = /run/php/fpm.sock\nuser = www-data\n"),
        (
            "/etc/cron.d/job",
            b"# comment\nPATH=/usr/bin\n*/5 * * * * root report --to /var/lib/report >/dev/null\n@daily root cleaner\n",
        ),
        ("/var/spool/cron/crontabs/app", b"0 4 * * * cleaner /srv/worker/list.txt\n"),
        ("/usr/bin/worker", b""),
        ("/usr/bin/report", b""),
        ("/usr/bin/cleaner", b""),
        ("/usr/bin/root", b"a user, not a command"),
        ("/etc/worker.toml", b""),
        ("/etc/passwd", b""),
        ("/etc/group", b""),
        ("/srv/worker/list.txt", b""),
        ("/var/lib/report/last", b""),
        ("/var/log/web/", b""),
        ("/run/php/", b""),
    ];
    let always = ["/etc/group", "/etc/passwd"];
    let needed = |path: &str| -> Vec<String> {
        let needed = needed(items, path).into_iter();
        needed
            .filter(|path| !always.contains(&path.as_str()) && path != "/run")
            .collect()
    };
    assert_eq!(
        needed("/etc/supervisor/s.conf"),
        [
            "/etc/worker.toml",
            "/srv/worker/list.txt",
            "/usr/bin/worker",
            "/var/log/web"
        ]
    );
    let pool = "/etc/php/8.2/fpm/pool.d/www.conf";
    assert_eq!(needed("/etc/php/8.2/fpm/php-fpm.conf"), [pool, "/run/php"]);
    assert_eq!(
        needed("/etc/cron.d/job"),
        ["/usr/bin/cleaner", "/usr/bin/report", "/var/lib/report/last"]
    );
    assert_eq!(
        needed("/var/spool/cron/crontabs/app"),
        ["/srv/worker/list.txt", "/usr/bin/cleaner"]
    );
}

#[test]
fn name_services_and_pam_name_their_modules() {
    let items: &[(&str, &[u8])] = &[
        (
            "/etc/nsswitch.conf",
            b"passwd: files systemd # ldap\nhosts: files [NOTFOUND=return] ../x mdns4_minimal\n",
        ),
        ("/usr/lib/x86_64-linux-gnu/libnss_systemd.so.2", b""),
        ("/lib64/libnss_mdns4_minimal.so.2", b""),
        ("/usr/lib/x86_64-linux-gnu/libnss_ldap.so.2", b""),
        (
            "/etc/pam.d/login",
            b"auth [success=1 default=ignore] pam_unix.so nullok\n@include common\nauth optional /opt/pam_own.so\n\
              session optional pam_exec.so pam_none.so\n",
        ),
        ("/etc/pam.d/common", b"account include other\n"),
        ("/etc/pam.d/other", b""),
        ("/usr/lib/x86_64-linux-gnu/security/pam_unix.so", b""),
        ("/usr/lib/x86_64-linux-gnu/security/pam_exec.so", b""),
        ("/usr/lib/x86_64-linux-gnu/security/pam_none.so", b""),
        ("/opt/pam_own.so", b""),
    ];
    assert_eq!(
        needed(items, "/etc/nsswitch.conf"),
        [
            "/lib64/libnss_mdns4_minimal.so.2",
            "/usr/lib/x86_64-linux-gnu/libnss_systemd.so.2"
        ]
    );
    assert_eq!(
        needed(items, "/etc/pam.d/login"),
        [
            "/etc/pam.d/common",
            "/etc/pam.d/other",
            "/opt/pam_own.so",
            "/usr/lib/x86_64-linux-gnu/security/pam_exec.so",
            "/usr/lib/x86_64-linux-gnu/security/pam_unix.so"
        ]
    );
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

#[test]
fn files_of_supervisors_name_programs_behind_programs() {
    let items: &[(&str, &[u8])] = &[
        ("/app/Procfile", b"web: A=1 timeout 5 one -p $PORT\n# no: six\n"),
        (
            "/usr/lib/systemd/system/x.service",
            b"[Service]\nExecStart=-/usr/bin/env two\nUser=six\n",
        ),
        (
            "/etc/services.d/x/run",
            b"#!/usr/bin/execlineb -P\ns6-setuidgid app\nthree --a=b\n",
        ),
        (
            "/etc/supervisor/s.conf",
            b"[supervisord]\n[program:web]\ncommand=gosu app four --x\n",
        ),
        ("/etc/cron.d/x", b"* * * * * root nice -n 5 five\n"),
        ("/usr/bin/one", b""),
        ("/usr/bin/two", b""),
        ("/usr/bin/three", b""),
        ("/usr/bin/four", b""),
        ("/usr/bin/five", b""),
        ("/usr/bin/six", b""),
    ];
    for (from, program) in [
        ("/app/Procfile", "/usr/bin/one"),
        ("/usr/lib/systemd/system/x.service", "/usr/bin/two"),
        ("/etc/services.d/x/run", "/usr/bin/three"),
        ("/etc/supervisor/s.conf", "/usr/bin/four"),
        ("/etc/cron.d/x", "/usr/bin/five"),
    ] {
        assert_eq!(needed(items, from), [program], "{from}");
    }
}

#[test]
fn delegates_of_imagemagick_are_programs_that_it_starts() {
    let items: &[(&str, &[u8])] = &[
        (
            "/etc/ImageMagick-6/delegates.xml",
            b"<delegatemap>\n  <!-- <delegate decode=\"x\" command=\"sort\"/> -->\n\
              <delegate decode=\"ps:alpha\" command=\"&quot;gs&quot; -dSAFER &quot;-f%s&quot;\"/>\n\
              <delegate decode=\"dot\" command='&quot;dot&quot; -Tsvg &quot;%i&quot; -o &quot;%o&quot;' />\n\
              <delegate decode=\"bpg\" command=\"bpgdec -o %o %i; /bin/mv &quot;%o.png&quot; &quot;%o&quot;\"/>\n",
        ),
        ("/usr/bin/gs", b"elf"),
        ("/usr/bin/dot", b"elf"),
        ("/usr/bin/mv", b"elf"),
        ("/usr/bin/sort", b"elf"),
        ("/bin", b"-> usr/bin"),
    ];
    let mut needed = needed(items, "/etc/ImageMagick-6/delegates.xml");
    needed.retain(|path| path != "/bin");
    assert_eq!(needed, ["/usr/bin/dot", "/usr/bin/gs", "/usr/bin/mv"]);
}

#[test]
fn programs_of_a_directory_that_is_handed_to_execution() {
    let owned = b"P:tools\nF:usr/lib/cgi-bin\nR:status\nF:etc/cron.daily\nR:rotate\n";
    let conf = |path, text| {
        let items: &[(&str, &[u8])] = &[
            (path, text),
            ("/usr/local/lib/cgi/item.pl", b"#!/usr/bin/perl\n"),
            ("/usr/local/lib/cgi/mod.so", b"so"),
            ("/usr/lib/cgi-bin/status", b"#!/bin/sh\n"),
            ("/usr/lib/cgi-bin/mine", b"#!/bin/sh\n"),
            ("/etc/cron.daily/rotate", b"#!/bin/sh\n"),
            ("/usr/bin/perl", b"elf"),
            ("/usr/bin/sh", b"elf"),
            ("/bin", b"-> usr/bin"),
            ("/lib/apk/db/installed", owned),
        ];
        let mut needed = needed(items, path);
        needed.retain(|path| path != "/bin");
        needed
    };
    let cgi = ["/usr/bin/perl", "/usr/local/lib/cgi/item.pl"];
    assert_eq!(
        conf(
            "/etc/server/cgi.conf",
            b"alias.url = ( \"/cgi/\" => \"/usr/local/lib/cgi/\" )\n"
        ),
        cgi
    );
    assert_eq!(
        conf("/etc/server/cgi.conf", b"folder = /usr/lib/cgi-bin"),
        ["/usr/bin/sh", "/usr/lib/cgi-bin/mine"]
    );
    let both = ["/usr/bin/sh", "/usr/lib/cgi-bin/mine", "/usr/lib/cgi-bin/status"];
    assert_eq!(
        conf("/etc/apache2/a.conf", b"ScriptAlias /cgi/ /usr/lib/cgi-bin/\n"),
        both
    );
    assert_eq!(
        conf(
            "/etc/nginx/a.conf",
            b"server { fastcgi_param SCRIPT_FILENAME /usr/lib/cgi-bin$fastcgi_script_name; }"
        ),
        both
    );
    // A shell is not kept for what a package's own script is.
    assert_eq!(
        conf(
            "/etc/cron.d/daily",
            b"25 6 * * * root cd / && run-parts --report /etc/cron.daily\n"
        ),
        ["/etc/cron.daily/rotate"]
    );
}
