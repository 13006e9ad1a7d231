<?php echo bin2hex(iconv("UTF-8", "ISO-2022-JP", "日本")), " ", iconv("CP1251", "UTF-8", "\xcf\xf0\xe8");
