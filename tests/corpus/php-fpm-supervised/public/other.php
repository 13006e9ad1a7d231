<?php echo "other ", PHP_MAJOR_VERSION, " ", ini_get("post_max_size");
