<?php readfile("/srv/pages/" . basename($_GET["name"]) . ".html");
