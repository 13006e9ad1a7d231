<?php
$lang['menu'] = '茶店';
$lang['clear'] = '消去';
$lang['name'] = '名前';
$lang['origin'] = '産地';
$lang['price'] = '価格';
$lang['since'] = '開始';
$lang['count'] = '{0, plural, other {お茶 # 種}}';
$lang['unknown'] = '不明:';
