<?php
namespace Shop\Page;

final class Feed
{
    public function __invoke(string ...$arguments): void
    {
        $document = new \DOMDocument();
        $document->loadXML('<shop><item price="3">Tea</item><item price="5">Coffee</item></shop>');
        $found = (new \DOMXPath($document))->query('//item[@price > 4]');
        header('Content-Type: text/plain');
        echo $found[0]->textContent, ' ', simplexml_import_dom($document)->item[0]['price'], ' ', iconv('UTF-8', 'SHIFT_JIS//TRANSLIT', 'é') === 'e' ? 'e' : '?', ' ', bin2hex(iconv('UTF-8', 'EUC-KR', '한국'));
    }
}
