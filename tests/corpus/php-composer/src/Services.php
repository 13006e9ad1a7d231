<?php

namespace App;

use App\Twig\AppExtension;
use Doctrine\DBAL\Connection;
use Doctrine\DBAL\DriverManager;
use Monolog\Handler\StreamHandler;
use Monolog\Logger;
use Symfony\Bridge\Twig\Extension\RoutingExtension;
use Symfony\Bridge\Twig\Extension\TranslationExtension;
use Symfony\Bridge\Twig\Extension\YamlExtension;
use Symfony\Component\Routing\Router;
use Symfony\Component\Translation\Loader\XliffFileLoader;
use Symfony\Component\Translation\Loader\YamlFileLoader;
use Symfony\Component\Translation\Translator;
use Symfony\Component\Validator\Validation;
use Symfony\Component\Validator\Validator\ValidatorInterface;
use Twig\Environment;
use Twig\Extra\Intl\IntlExtension;
use Twig\Loader\FilesystemLoader;

final class Services
{
    private array $made = [];

    public function __construct(public readonly ?Router $router = null)
    {
    }

    private function once(string $name, callable $make): object
    {
        return $this->made[$name] ??= $make();
    }

    public function translator(): Translator
    {
        return $this->once('translator', function () {
            $translator = new Translator('en', null, '/tmp/translations');
            $translator->setFallbackLocales(['en']);
            $translator->addLoader('yaml', new YamlFileLoader());
            $translator->addLoader('xlf', new XliffFileLoader());
            foreach (glob(root('translations/*')) as $file) {
                [$domain, $locale, $format] = explode('.', basename($file));
                $translator->addResource($format, $file, $locale, $domain);
            }
            foreach (['de', 'fr', 'ja'] as $locale) {
                $translator->addResource('xlf', "/usr/share/php/Symfony/Component/Validator/Resources/translations/validators.$locale.xlf", $locale, 'validators');
            }

            return $translator;
        });
    }

    public function twig(): Environment
    {
        return $this->once('twig', function () {
            $twig = new Environment(new FilesystemLoader(root('templates')), ['cache' => '/tmp/twig', 'strict_variables' => true]);
            $twig->addExtension(new TranslationExtension($this->translator()));
            $twig->addExtension(new YamlExtension());
            $twig->addExtension(new IntlExtension());
            $twig->addExtension(new AppExtension());
            if ($this->router) {
                $twig->addExtension(new RoutingExtension($this->router));
            }

            return $twig;
        });
    }

    public function database(): Connection
    {
        return $this->once('database', fn () => DriverManager::getConnection(['driver' => 'pdo_sqlite', 'path' => root('var/notes.sqlite')]));
    }

    public function validator(): ValidatorInterface
    {
        return $this->once('validator', fn () => Validation::createValidatorBuilder()->addMethodMapping('rules')
            ->setTranslator($this->translator())->setTranslationDomain('validators')->getValidator());
    }

    public function logger(): Logger
    {
        return $this->once('logger', fn () => new Logger('app', [new StreamHandler('php://stderr', Logger::WARNING)]));
    }
}
