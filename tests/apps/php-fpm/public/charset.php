<?php
echo bin2hex(iconv("UTF-8", "SHIFT_JIS", "日本")), " ", bin2hex(iconv("UTF-8", "CP1252", "Größe")), " ", bin2hex(mb_convert_encoding("日本", "EUC-JP"));
