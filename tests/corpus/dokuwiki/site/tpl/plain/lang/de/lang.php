<?php
$lang['printed'] = 'Aus alten Bytes gemacht';
