<?php

namespace App;

use Symfony\Component\HttpKernel\Controller\ControllerResolver;

final class ControllerFactory extends ControllerResolver
{
    public function __construct(private Services $services)
    {
        parent::__construct($services->logger());
    }

    protected function instantiateController(string $class): object
    {
        return new $class($this->services);
    }
}
