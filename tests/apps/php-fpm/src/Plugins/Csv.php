<?php
namespace Smithy\Plugins;

class Csv
{
    public function dump(array $wares): string
    {
        return "Csv: " . implode(',', $wares) . "\n";
    }
}
