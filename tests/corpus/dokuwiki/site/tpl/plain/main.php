<?php
/** The frame of every page. */
if (!defined('DOKU_INC')) die();
@require_once __DIR__ . '/functions.php';
?><!DOCTYPE html>
<html lang="<?php echo $conf['lang'] ?>" dir="<?php echo $lang['direction'] ?>">
<head>
    <meta charset="utf-8">
    <title><?php tpl_pagetitle() ?> [<?php echo strip_tags($conf['title']) ?>]</title>
    <?php tpl_metaheaders() ?>
    <meta name="viewport" content="width=device-width">
    <?php echo tpl_favicon(['favicon']) ?>
</head>
<body class="<?php echo tpl_classes() ?>">
<div class="tools">
    <?php foreach (plain_tools() as $tool) echo $tool, "\n" ?>
    <?php tpl_searchform() ?>
</div>
<?php html_msgarea() ?>
<p class="trail"><?php tpl_youarehere(' / ') ?></p>
<?php if ($ACT === 'show') tpl_include_page('sidebar', true, true) ?>
<main id="dokuwiki__content"><?php tpl_content(true) ?></main>
<div class="foot"><?php tpl_pageinfo() ?> · <?php tpl_userinfo() ?> · <?php echo tpl_getLang('printed') ?> · <?php tpl_license('button') ?></div>
<?php tpl_indexerWebBug() ?>
</body>
</html>
