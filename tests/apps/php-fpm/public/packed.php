<?php
$text = str_repeat("iron ", 1000);
echo strlen(gzdecode(gzencode($text))), " ", bin2hex(openssl_digest("iron", "sha512", true)), " ", hash("xxh3", "iron"), " ", strlen(password_hash("iron", PASSWORD_BCRYPT));
