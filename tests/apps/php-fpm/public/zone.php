<?php
echo (new DateTime("@1719835200"))->setTimezone(new DateTimeZone("Asia/Tokyo"))->format("Y-m-d H:i T\n");
echo (new DateTime("2024-01-01 12:00", new DateTimeZone("America/New_York")))->format(DATE_ATOM);
