<?php

namespace App\Service\Export;

use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\Mime\Email;

final class MailExporter implements ExporterInterface
{
    public function export(array $notes): Response
    {
        $mail = (new Email())->from('notes@example.org')->to('ann@example.org')->subject('Notizen für Ann')
            ->text(implode("\n", array_map(fn ($note) => $note->title, $notes)))->date(new \DateTimeImmutable('2024-01-01T00:00:00Z'));
        $mail->getHeaders()->addIdHeader('Message-ID', 'one@example.org');

        return new Response($mail->toString(), 200, ['Content-Type' => 'message/rfc822']);
    }
}
