<?php

namespace App\Controller;

use App\Repository\NoteRepository;
use App\Services;
use Symfony\Component\HttpFoundation\Response;

abstract class Controller
{
    public function __construct(protected Services $services)
    {
    }

    protected function render(string $template, array $values = [], int $status = 200): Response
    {
        return new Response($this->services->twig()->render($template, $values), $status);
    }

    protected function notes(): NoteRepository
    {
        return new NoteRepository($this->services->database());
    }
}
