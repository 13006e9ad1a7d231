<?php

/**
 * {{tea>namespace:file.csv?sort=name&locale=de}} shows a table of teas.
 */
class syntax_plugin_tea_table extends dokuwiki\Extension\SyntaxPlugin
{
    public function getType()
    {
        return 'substition';
    }

    public function getPType()
    {
        return 'block';
    }

    public function getSort()
    {
        return 155;
    }

    public function connectTo($mode)
    {
        $this->Lexer->addSpecialPattern('\{\{tea>[^}]+\}\}', $mode, 'plugin_tea_table');
    }

    public function handle($match, $state, $pos, Doku_Handler $handler)
    {
        [$file, $query] = array_pad(explode('?', substr($match, 6, -2), 2), 2, '');
        parse_str($query, $options);
        return [$file, $options + ['sort' => 'name', 'locale' => '', 'currency' => 'EUR']];
    }

    public function render($format, Doku_Renderer $renderer, $data)
    {
        [$file, $options] = $data;
        if ($format === 'metadata') {
            $renderer->meta['relation']['media'][cleanID($file)] = true;
            return true;
        }
        /** @var helper_plugin_tea $helper */
        $helper = plugin_load('helper', 'tea');
        $locale = $options['locale'] ?: $helper->locale();
        $rows = $helper->sorted($helper->teas($file), $options['sort'], $locale);
        $renderer->table_open(4, count($rows) + 1);
        $renderer->tablerow_open();
        foreach (['name', 'origin', 'price', 'since'] as $title) {
            $renderer->tableheader_open();
            $renderer->cdata($this->getLang($title));
            $renderer->tableheader_close();
        }
        $renderer->tablerow_close();
        $sum = 0;
        foreach ($rows as $row) {
            $sum += (float) $row['price'];
            $cells = [
                $row['name'],
                Locale::getDisplayRegion('und_' . $row['origin'], $locale),
                $helper->money($row['price'], $locale, $options['currency']),
                $helper->day($row['since'], $locale),
            ];
            $renderer->tablerow_open();
            foreach ($cells as $cell) {
                $renderer->tablecell_open();
                $renderer->cdata($cell);
                $renderer->tablecell_close();
            }
            $renderer->tablerow_close();
        }
        $renderer->table_close();
        $renderer->p_open();
        $renderer->cdata($helper->count($file) . ': ' . $helper->money($sum, $locale, $options['currency']));
        $renderer->p_close();
        return true;
    }
}
