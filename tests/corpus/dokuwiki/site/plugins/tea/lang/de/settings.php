<?php
$lang['locale'] = 'Name';
$lang['font'] = 'Herkunft';
