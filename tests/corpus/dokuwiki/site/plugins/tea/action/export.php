<?php

use dokuwiki\Extension\Event;
use dokuwiki\Extension\EventHandler;

/**
 * do=teapack packs a page with its source and media; the AJAX call plugin_tea_chart draws a picture.
 */
class action_plugin_tea_export extends dokuwiki\Extension\ActionPlugin
{
    public function register(EventHandler $controller)
    {
        $controller->register_hook('ACTION_ACT_PREPROCESS', 'BEFORE', $this, 'pack');
        $controller->register_hook('AJAX_CALL_UNKNOWN', 'BEFORE', $this, 'ajax');
        $controller->register_hook('IO_WIKIPAGE_WRITE', 'BEFORE', $this, 'tidy');
        $controller->register_hook('TPL_METAHEADER_OUTPUT', 'BEFORE', $this, 'header');
    }

    public function pack(Event $event)
    {
        global $ID;
        $kinds = ['teapack_zip' => \splitbrain\PHPArchive\Zip::class, 'teapack_tar' => \splitbrain\PHPArchive\Tar::class];
        if (!is_string($event->data) || !isset($kinds[$event->data])) {
            return;
        }
        if (auth_quickaclcheck($ID) < AUTH_READ || !page_exists($ID)) {
            http_status(403);
            exit;
        }
        $class = $kinds[$event->data];
        $archive = new $class();
        $archive->create();
        $info = new \splitbrain\PHPArchive\FileInfo($ID . '.txt');
        $info->setMtime(1700000000);
        $archive->addData($info, rawWiki($ID));
        foreach (array_keys(p_get_metadata($ID, 'relation media') ?: []) as $media) {
            if (file_exists(mediaFN($media))) {
                $info = new \splitbrain\PHPArchive\FileInfo('media/' . $media);
                $info->setMtime(1700000000);
                $archive->addData($info, file_get_contents(mediaFN($media)));
            }
        }
        header('Content-Type: application/octet-stream');
        echo $archive->getArchive();
        exit;
    }

    public function ajax(Event $event)
    {
        global $INPUT;
        if ($event->data !== 'plugin_tea_chart') {
            return;
        }
        $event->preventDefault();
        $event->stopPropagation();
        /** @var helper_plugin_tea $helper */
        $helper = plugin_load('helper', 'tea');
        $rows = $helper->sorted($helper->teas($INPUT->str('file')), 'price', 'en');
        $image = imagecreatetruecolor(240, 20 + 18 * count($rows));
        imagefill($image, 0, 0, imagecolorallocate($image, 255, 255, 255));
        $bar = imagecolorallocate($image, 60, 140, 60);
        $black = imagecolorallocate($image, 0, 0, 0);
        foreach ($rows as $number => $row) {
            $y = 8 + 18 * $number;
            imagefilledrectangle($image, 100, $y, 100 + (int) (8 * $row['price']), $y + 12, $bar);
            imagettftext($image, 9, 0, 4, $y + 11, $black, $this->getConf('font'), $row['name']);
        }
        $writers = ['png' => 'imagepng', 'gif' => 'imagegif', 'webp' => 'imagewebp', 'jpeg' => 'imagejpeg', 'bmp' => 'imagebmp'];
        $kind = $INPUT->valid('kind', array_keys($writers), 'png');
        header("Content-Type: image/$kind");
        $writers[$kind]($image);
    }

    /** Text that comes in as composed of pieces is written in the usual form. */
    public function tidy(Event $event)
    {
        $event->data[0][1] = Normalizer::normalize($event->data[0][1], Normalizer::FORM_C) ?: $event->data[0][1];
    }

    public function header(Event $event)
    {
        $event->data['meta'][] = ['name' => 'tea', 'content' => $this->getLang('menu')];
    }
}
