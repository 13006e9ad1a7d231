<?php
namespace Shop\Page;

final class Info
{
    public function __invoke(string ...$arguments): void
    {
        echo implode(' ', array_map('strtolower', get_loaded_extensions()));
    }
}
