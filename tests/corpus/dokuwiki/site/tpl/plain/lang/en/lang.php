<?php
$lang['printed'] = 'Made of recycled bytes';
