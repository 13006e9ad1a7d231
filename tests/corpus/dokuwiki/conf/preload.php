<?php

// Debian keeps the settings in /etc and what the wiki writes in /var/lib.
define('DOKU_CONF', '/etc/dokuwiki/');
$config_cascade = [
    'acl' => ['default' => '/var/lib/dokuwiki/acl/acl.auth.php'],
    'plainauth.users' => ['default' => '/var/lib/dokuwiki/acl/users.auth.php', 'protected' => ''],
];
// nginx names the edition: a language, and perhaps another template.
$edition = $_SERVER['WIKI_EDITION'] ?? '';
if (preg_match('/^[a-z]{2}$/', $edition) && file_exists(DOKU_CONF . "edition-$edition.php")) {
    $config_cascade['main'] = [
        'default' => [DOKU_CONF . 'dokuwiki.php'],
        'local' => [DOKU_CONF . 'local.php', DOKU_CONF . "edition-$edition.php"],
        'protected' => [DOKU_CONF . 'local.protected.php'],
    ];
}
