<?php
$lang['locale'] = 'Name';
$lang['font'] = 'Origin';
