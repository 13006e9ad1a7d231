<?php
require __DIR__ . "/../src/autoload.php";
echo json_encode(in_order(["zinc", "copper", "iron"]));
