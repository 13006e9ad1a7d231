<?php echo get_current_user(), " ", posix_getpwnam("www-data")["shell"];
