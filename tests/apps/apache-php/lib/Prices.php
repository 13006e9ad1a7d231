<?php
namespace Smithy;

function prices(): array
{
    return include __DIR__ . "/table.inc";
}
