<?php
Site\Hooks::add('upload', function (array $file) {
    $image = imagecreatefromstring(file_get_contents($file['tmp_name']));
    $small = imagescale($image, 8);
    ob_start();
    imagewebp($small);
    return ['type' => (new finfo(FILEINFO_MIME_TYPE))->file($file['tmp_name']), 'small' => [imagesx($small), imagesy($small)], 'webp' => strlen(ob_get_clean()) > 20];
});
