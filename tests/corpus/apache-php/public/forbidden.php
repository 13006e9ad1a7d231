<?php http_response_code(403); echo "Not for you: ", htmlspecialchars($_SERVER["REDIRECT_URL"] ?? "");
