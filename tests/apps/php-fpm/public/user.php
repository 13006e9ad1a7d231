<?php
echo posix_getpwuid(posix_geteuid())["name"], " ", posix_getpwnam("root")["dir"], " ", posix_getgrnam("staff")["gid"];
