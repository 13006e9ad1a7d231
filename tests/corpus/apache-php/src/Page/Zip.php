<?php
namespace Shop\Page;

final class Zip
{
    public function __invoke(string ...$arguments): void
    {
        $zip = new \ZipArchive();
        $name = tempnam(sys_get_temp_dir(), 'zip');
        $zip->open($name, \ZipArchive::OVERWRITE);
        $zip->addFromString('a.txt', str_repeat('x', 1000));
        $zip->close();
        echo file_get_contents("zip://$name#a.txt") === str_repeat('x', 1000) ? 'zipped' : 'broken';
    }
}
