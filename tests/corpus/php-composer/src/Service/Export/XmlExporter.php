<?php

namespace App\Service\Export;

use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\Serializer\Encoder\XmlEncoder;
use Symfony\Component\Serializer\Normalizer\ObjectNormalizer;
use Symfony\Component\Serializer\Serializer;

final class XmlExporter implements ExporterInterface
{
    public function export(array $notes): Response
    {
        $serializer = new Serializer([new ObjectNormalizer()], [new XmlEncoder()]);

        return new Response($serializer->serialize($notes, XmlEncoder::FORMAT), 200, ['Content-Type' => 'text/xml']);
    }
}
