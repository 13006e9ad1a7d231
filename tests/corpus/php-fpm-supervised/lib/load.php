<?php
// The application's start: its own classes, those of Debian's packages, its plug-ins.
spl_autoload_register(function (string $class): void {
    if (str_starts_with($class, 'Site\\') && is_file($file = __DIR__ . '/' . strtr(substr($class, 5), '\\', '/') . '.php')) {
        require $file;
    }
});
foreach (['Symfony/Component/Yaml', 'Symfony/Component/Console', 'Twig', 'Monolog'] as $part) {
    require_once "/usr/share/php/$part/autoload.php";
}
require_once '/usr/share/php/Parsedown/Parsedown.php';
foreach (Symfony\Component\Yaml\Yaml::parseFile(__DIR__ . '/../config/site.yaml')['plugins'] as $name) {
    require_once __DIR__ . "/plugins/$name.php";
}
