<?php
namespace Smithy;

final class Table
{
    public const ALL = ["anvil" => 80, "hammer" => 12.5];
}
