<?php

namespace App\Service\Export;

use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\Serializer\Encoder\YamlEncoder;
use Symfony\Component\Serializer\Normalizer\ObjectNormalizer;
use Symfony\Component\Serializer\Serializer;

final class YamlExporter implements ExporterInterface
{
    public function export(array $notes): Response
    {
        $serializer = new Serializer([new ObjectNormalizer()], [new YamlEncoder()]);

        return new Response($serializer->serialize($notes, YamlEncoder::FORMAT), 200, ['Content-Type' => 'text/yaml']);
    }
}
