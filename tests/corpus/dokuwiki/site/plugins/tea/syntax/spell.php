<?php

/**
 * <tea:spell de>12</tea:spell> writes a number in words, or transliterates a text.
 */
class syntax_plugin_tea_spell extends dokuwiki\Extension\SyntaxPlugin
{
    public function getType()
    {
        return 'substition';
    }

    public function getSort()
    {
        return 156;
    }

    public function connectTo($mode)
    {
        $this->Lexer->addSpecialPattern('<tea:spell [\w-]+>.*?</tea:spell>', $mode, 'plugin_tea_spell');
    }

    public function handle($match, $state, $pos, Doku_Handler $handler)
    {
        preg_match('/^<tea:spell ([\w-]+)>(.*?)<\/tea:spell>$/s', $match, $found);
        return [$found[1], trim($found[2])];
    }

    public function render($format, Doku_Renderer $renderer, $data)
    {
        if ($format === 'metadata') {
            return false;
        }
        [$locale, $text] = $data;
        if (is_numeric($text)) {
            $renderer->cdata((new NumberFormatter($locale, NumberFormatter::SPELLOUT))->format((float) $text));
            return true;
        }
        $transliterator = Transliterator::create($locale);
        $renderer->cdata($transliterator ? $transliterator->transliterate($text) : $this->getLang('unknown') . ' ' . $locale);
        return true;
    }
}
