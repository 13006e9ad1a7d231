<?php
require_once "Smithy/Prices.php";
echo json_encode(Smithy\prices());
