<?php
$conf['lang'] = 'ja';
$conf['title'] = 'お茶の wiki';
$conf['toptoclevel'] = 2;
$conf['rss_type'] = 'rss1';
$conf['fnencode'] = 'utf-8';
