<?php
$count = substr_count(file_get_contents(openssl_get_cert_locations()["default_cert_dir"] . "/ca-certificates.crt"), "BEGIN CERTIFICATE");
echo $count > 0 ? "trusted" : "not", " $count";
