<?php
$conf['lang'] = 'ar';
$conf['title'] = 'شاي';
