<?php
spl_autoload_register(function (string $class): void {
    if (str_starts_with($class, 'Smithy\\')) {
        require __DIR__ . '/' . str_replace('\\', '/', substr($class, 7)) . '.php';
    }
});

function in_order(array $lines): array
{
    $sort = proc_open(['sort'], [['pipe', 'r'], ['pipe', 'w']], $pipes);
    fwrite($pipes[0], implode("\n", $lines) . "\n");
    fclose($pipes[0]);
    $sorted = explode("\n", trim(stream_get_contents($pipes[1])));
    proc_close($sort);
    return $sorted;
}
