<?php
namespace Shop\Page;

final class Price
{
    public function __invoke(string ...$arguments): void
    {
        header('Content-Type: text/plain; charset=utf-8');
        $locale = $arguments[0];
        echo (new \NumberFormatter($locale, \NumberFormatter::CURRENCY))->formatCurrency(1234567.891, 'EUR'), "\n";
        $date = new \IntlDateFormatter($locale, \IntlDateFormatter::FULL, \IntlDateFormatter::FULL, 'Asia/Tokyo');
        echo $date->format(1720000000), "\n";
        echo (new \Collator($locale))->compare('ä', 'z'), ' ', \Locale::getDisplayLanguage('ja', $locale), "\n";
        echo \MessageFormatter::formatMessage($locale, '{0, plural, one{# item} other{# items}}', [3]), ' ', (new \NumberFormatter($locale, \NumberFormatter::SPELLOUT))->format(42), "\n";
        echo transliterator_transliterate('Any-Latin; Latin-ASCII', 'Привет 日本'), ' ', idn_to_ascii('bücher.example'), "\n";
    }
}
