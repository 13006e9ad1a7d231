<?php
require __DIR__ . "/../src/autoload.php";
echo "The smithy sells ", implode(", ", in_order(["tongs", "anvil", "hammer"])), ".\n";
