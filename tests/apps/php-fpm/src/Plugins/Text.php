<?php
namespace Smithy\Plugins;

class Text
{
    public function dump(array $wares): string
    {
        return "Text: " . implode(',', $wares) . "\n";
    }
}
