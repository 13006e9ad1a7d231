<?php
namespace Shop;

final class View
{
    public function show(string $name, array $values): void
    {
        extract($values);
        include __DIR__ . "/templates/$name.phtml";
    }
}
