<?php
/** The window that pictures are chosen in. */
if (!defined('DOKU_INC')) die();
?><!DOCTYPE html>
<html lang="<?php echo $conf['lang'] ?>" class="popup">
<head>
    <meta charset="utf-8">
    <title><?php echo hsc($lang['mediaselect']) ?></title>
    <?php tpl_metaheaders() ?>
</head>
<body><div id="media__manager" class="dokuwiki">
<?php html_msgarea() ?>
<h1><?php echo hsc($lang['mediaselect']) ?></h1>
<?php tpl_mediaTree() ?>
<?php tpl_mediaContent() ?>
</div></body>
</html>
