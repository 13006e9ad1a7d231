<?php
namespace Shop\Page;

final class Broken
{
    public function __invoke(string ...$arguments): void
    {
        intdiv(1, 0);
    }
}
