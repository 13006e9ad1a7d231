<?php

namespace App\Service;

use App\Service\Export\ExporterInterface;
use Symfony\Component\HttpKernel\Exception\NotFoundHttpException;

final class Exporters
{
    public function for(string $format): ExporterInterface
    {
        $class = __NAMESPACE__.'\\Export\\'.ucfirst($format).'Exporter';
        if (!class_exists($class)) {
            throw new NotFoundHttpException("No exporter for $format.");
        }

        return new $class();
    }
}
