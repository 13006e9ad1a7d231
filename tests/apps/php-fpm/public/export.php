<?php
require __DIR__ . "/../src/autoload.php";
$class = "Smithy\\Plugins\\" . ucfirst($_GET["as"]);
echo (new $class())->dump(["iron", "zinc"]);
