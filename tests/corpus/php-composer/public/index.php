<?php

require dirname(__DIR__).'/vendor/autoload.php';

(new App\Kernel())->handle(Symfony\Component\HttpFoundation\Request::createFromGlobals())->send();
