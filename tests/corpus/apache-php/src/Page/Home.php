<?php
namespace Shop\Page;

final class Home
{
    public function __invoke(string ...$arguments): void
    {
        (new \Shop\View())->show('home', ['title' => 'Welcome']);
    }
}
