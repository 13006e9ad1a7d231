<?php
namespace Shop\Page;

final class Upload
{
    public function __invoke(string ...$arguments): void
    {
        $file = $_FILES['file'];
        [$width, $height] = getimagesize($file['tmp_name']) ?: [0, 0];
        echo $file['name'], ' ', (new \finfo(FILEINFO_MIME))->file($file['tmp_name']), " {$width}x$height ", hash('sha3-256', file_get_contents($file['tmp_name']));
    }
}
