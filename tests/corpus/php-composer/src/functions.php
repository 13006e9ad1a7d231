<?php

namespace App;

foreach (['Symfony/Component/HttpKernel', 'Symfony/Component/Routing', 'Symfony/Component/Yaml', 'Symfony/Component/Config',
    'Symfony/Component/Translation', 'Symfony/Component/Validator', 'Symfony/Component/Serializer', 'Symfony/Component/PropertyAccess',
    'Symfony/Component/PropertyInfo', 'Symfony/Component/Console', 'Symfony/Component/ExpressionLanguage', 'Symfony/Component/String',
    'Symfony/Component/Intl', 'Symfony/Component/Mime', 'Symfony/Component/Cache', 'Symfony/Bridge/Twig', 'Twig', 'Twig/Extra/Intl',
    'Monolog', 'Egulias/EmailValidator', 'Doctrine/DBAL', 'League/CommonMark'] as $package) {
    require_once "/usr/share/php/$package/autoload.php";
}

function root(string $path = ''): string
{
    return \dirname(__DIR__).'/'.$path;
}
