<?php

namespace App\Service\Export;

use Symfony\Component\HttpFoundation\Response;

interface ExporterInterface
{
    public function export(array $notes): Response;
}
