<?php echo mime_content_type(__DIR__ . "/logo.svg");
