<?php

use splitbrain\phpcli\Options;
use splitbrain\phpcli\TableFormatter;

/**
 * Commands: list the teas of a table, or check pages for links to nowhere.
 */
class cli_plugin_tea extends dokuwiki\Extension\CLIPlugin
{
    protected function setup(Options $options)
    {
        $options->setHelp('Teas of the house.');
        $options->registerCommand('list', 'Lists the teas of a table');
        $options->registerArgument('file', 'The media file', true, 'list');
        $options->registerOption('locale', 'The language', 'l', 'locale', 'list');
        $options->registerCommand('pages', 'Counts the pages and their words');
    }

    protected function main(Options $options)
    {
        switch ($options->getCmd()) {
            case 'list':
                /** @var helper_plugin_tea $helper */
                $helper = plugin_load('helper', 'tea');
                $locale = $options->getOpt('locale', 'en');
                $table = new TableFormatter($this->colors);
                [$file] = $options->getArgs();
                foreach ($helper->sorted($helper->teas($file), 'name', $locale) as $row) {
                    echo $table->format([16, '*'], [$row['name'], $helper->money($row['price'], $locale, 'EUR')]);
                }
                break;
            case 'pages':
                global $conf;
                $pages = [];
                search($pages, $conf['datadir'], 'search_allpages', ['skipacl' => true]);
                $pages = array_column($pages, 'id');
                sort($pages);
                foreach ($pages as $page) {
                    printf("%-24s %4d\n", $page, count(preg_split('/\W+/u', rawWiki($page), -1, PREG_SPLIT_NO_EMPTY)));
                }
                break;
            default:
                echo $options->help();
        }
    }
}
