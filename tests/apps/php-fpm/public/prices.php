<?php
require_once dirname(__DIR__) . "/src/autoload.php";
echo json_encode((new Smithy\Prices())->list());
