<?php
namespace Shop\Page;

final class Picture
{
    public function __invoke(string ...$arguments): void
    {
        $image = imagecreatetruecolor(40, 20);
        imagestring($image, 3, 2, 2, 'Shop', imagecolorallocate($image, 250, 200, 10));
        header("Content-Type: image/$arguments[0]");
        ("image$arguments[0]")($image);
    }
}
