<?php
$meta['locale'] = ['string', '_pattern' => '/^[\w-]*$/'];
$meta['font'] = ['string'];
