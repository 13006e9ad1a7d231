<?php
$file = openssl_get_cert_locations()["default_cert_dir"] . "/ca-certificates.crt";
echo substr_count(file_get_contents($file), "BEGIN CERTIFICATE") > 0 ? "trusted" : "not";
