<?php
$conf['locale'] = '';
$conf['font'] = '/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf';
