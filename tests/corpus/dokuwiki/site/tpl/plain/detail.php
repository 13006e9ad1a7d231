<?php
/** A picture with what is known of it. */
if (!defined('DOKU_INC')) die();
?><!DOCTYPE html>
<html lang="<?php echo $conf['lang'] ?>">
<head>
    <meta charset="utf-8">
    <title><?php echo hsc(tpl_img_getTag('IPTC.Headline', $IMG)) ?></title>
    <?php tpl_metaheaders() ?>
</head>
<body class="<?php echo tpl_classes() ?>">
<?php html_msgarea() ?>
<?php if ($ERROR): echo $ERROR; else: ?>
<h1><?php echo hsc(tpl_img_getTag('IPTC.Headline', $IMG)) ?></h1>
<?php tpl_img(300, 200) ?>
<?php tpl_img_meta() ?>
<p><?php echo tpl_getLang('printed') ?></p>
<?php endif ?>
</body>
</html>
