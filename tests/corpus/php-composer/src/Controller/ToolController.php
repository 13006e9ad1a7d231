<?php

namespace App\Controller;

use Symfony\Component\ExpressionLanguage\ExpressionLanguage;
use Symfony\Component\HttpFoundation\File\UploadedFile;
use Symfony\Component\HttpFoundation\JsonResponse;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\HttpFoundation\StreamedResponse;
use Symfony\Component\Intl\Countries;
use Symfony\Component\Intl\Currencies;
use Symfony\Component\Intl\Timezones;
use Symfony\Component\Mime\MimeTypes;
use Symfony\Component\String\Slugger\AsciiSlugger;
use Symfony\Component\String\UnicodeString;
use Symfony\Component\Yaml\Yaml;

final class ToolController extends Controller
{
    public function reckon(Request $request): Response
    {
        return new JsonResponse((new ExpressionLanguage())->evaluate($request->query->get('q', '1'), ['x' => 7]));
    }

    public function slug(Request $request): Response
    {
        $text = $request->query->get('q', '');

        return new JsonResponse([(string) (new AsciiSlugger($request->getLocale()))->slug($text), (string) (new UnicodeString($text))->title(true)->wordwrap(8), (new UnicodeString($text))->width()]);
    }

    public function country(string $code, Request $request): Response
    {
        return new JsonResponse([Countries::getName($code), Currencies::getName('CHF'), Timezones::getName('America/Lima')], 200, [], false);
    }

    public function yaml(Request $request): Response
    {
        return new JsonResponse(Yaml::parse($request->getContent(), Yaml::PARSE_DATETIME));
    }

    public function upload(Request $request): Response
    {
        $file = $request->files->get('file');
        \assert($file instanceof UploadedFile);

        return new JsonResponse([$file->getClientOriginalName(), $file->getSize(), $file->getMimeType(), MimeTypes::getDefault()->getExtensions('image/svg+xml')]);
    }

    public function stream(): Response
    {
        return new StreamedResponse(function () {
            for ($i = 0; $i < 3; ++$i) {
                echo "data: $i\n\n";
                flush();
            }
        }, 200, ['Content-Type' => 'text/event-stream']);
    }

    public function fail(): Response
    {
        throw new \LogicException('It was to fail.');
    }
}
