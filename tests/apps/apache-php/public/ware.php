<?php echo "You asked for ", htmlspecialchars($_GET["name"]), ".";
