<?php date_default_timezone_set("Australia/Lord_Howe"); echo date("Y-m-d H:i T", 0);
