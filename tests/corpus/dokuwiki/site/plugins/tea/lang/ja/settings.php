<?php
$lang['locale'] = '名前';
$lang['font'] = '産地';
