<?php
$lang['menu'] = 'Tea house';
$lang['clear'] = 'Clear';
$lang['name'] = 'Name';
$lang['origin'] = 'Origin';
$lang['price'] = 'Price';
$lang['since'] = 'Since';
$lang['count'] = '{0, plural, =0 {no tea} one {one tea} other {# teas}}';
$lang['unknown'] = 'unknown:';
