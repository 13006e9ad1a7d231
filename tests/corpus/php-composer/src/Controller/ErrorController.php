<?php

namespace App\Controller;

use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\HttpKernel\Exception\HttpExceptionInterface;

final class ErrorController extends Controller
{
    public function show(\Throwable $exception): Response
    {
        $status = $exception instanceof HttpExceptionInterface ? $exception->getStatusCode() : 500;
        $template = $this->services->twig()->resolveTemplate(["errors/$status.html.twig", 'errors/any.html.twig']);

        return new Response($template->render(['status' => $status, 'message' => $exception->getMessage()]), $status);
    }
}
