<?php

namespace App\Listener;

use App\Services;
use Symfony\Component\EventDispatcher\EventSubscriberInterface;
use Symfony\Component\HttpKernel\Event\RequestEvent;
use Symfony\Component\HttpKernel\KernelEvents;

final class LocaleListener implements EventSubscriberInterface
{
    public function __construct(private Services $services)
    {
    }

    public static function getSubscribedEvents(): array
    {
        return [KernelEvents::REQUEST => 'onRequest'];
    }

    public function onRequest(RequestEvent $event): void
    {
        $request = $event->getRequest();
        $locale = $request->query->get('lang') ?? $request->getPreferredLanguage(['en', 'de', 'fr', 'ja']);
        if (preg_match('/^[a-z]{2}$/', $locale)) {
            $request->setLocale($locale);
            \Locale::setDefault($locale);
            $this->services->translator()->setLocale($locale);
        }
    }
}
