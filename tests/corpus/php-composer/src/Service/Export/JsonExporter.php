<?php

namespace App\Service\Export;

use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\Serializer\Encoder\JsonEncoder;
use Symfony\Component\Serializer\Normalizer\ObjectNormalizer;
use Symfony\Component\Serializer\Serializer;

final class JsonExporter implements ExporterInterface
{
    public function export(array $notes): Response
    {
        $serializer = new Serializer([new ObjectNormalizer()], [new JsonEncoder()]);

        return new Response($serializer->serialize($notes, JsonEncoder::FORMAT), 200, ['Content-Type' => 'application/json']);
    }
}
