<?php
$conf['lang'] = 'de';
$conf['title'] = 'Teewiki';
$conf['template'] = 'plain';
$conf['dformat'] = '%d.%m.%Y %H:%M';
$conf['rss_type'] = 'atom1';
