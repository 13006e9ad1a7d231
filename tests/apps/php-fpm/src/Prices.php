<?php
namespace Smithy;

class Prices
{
    public function list(): array
    {
        return Table::ALL + ["nail" => 0.1];
    }
}
