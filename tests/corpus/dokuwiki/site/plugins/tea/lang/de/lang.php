<?php
$lang['menu'] = 'Teehaus';
$lang['clear'] = 'Leeren';
$lang['name'] = 'Name';
$lang['origin'] = 'Herkunft';
$lang['price'] = 'Preis';
$lang['since'] = 'Seit';
$lang['count'] = '{0, plural, =0 {kein Tee} one {ein Tee} other {# Tees}}';
$lang['unknown'] = 'unbekannt:';
