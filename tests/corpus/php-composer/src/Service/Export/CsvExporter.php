<?php

namespace App\Service\Export;

use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\Serializer\Encoder\CsvEncoder;
use Symfony\Component\Serializer\Normalizer\ObjectNormalizer;
use Symfony\Component\Serializer\Serializer;

final class CsvExporter implements ExporterInterface
{
    public function export(array $notes): Response
    {
        $serializer = new Serializer([new ObjectNormalizer()], [new CsvEncoder()]);

        return new Response($serializer->serialize($notes, CsvEncoder::FORMAT), 200, ['Content-Type' => 'text/csv']);
    }
}
