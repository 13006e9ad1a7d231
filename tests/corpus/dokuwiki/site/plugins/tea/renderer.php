<?php

/**
 * do=export_tea gives a page as plain text with numbered headings.
 */
class renderer_plugin_tea extends Doku_Renderer
{
    private array $numbers = [];
    private array $notes = [];
    private string $kept = '';

    public function getFormat()
    {
        return 'tea';
    }

    public function document_start()
    {
        global $ID;
        p_set_metadata($ID, ['format' => ['tea' => ['Content-Type' => 'text/plain; charset=utf-8']]]);
    }

    public function document_end()
    {
        foreach ($this->notes as $number => $note) {
            $this->doc .= '[' . ($number + 1) . '] ' . trim($note) . "\n";
        }
    }

    public function header($text, $level, $pos)
    {
        $this->numbers = array_slice(array_pad($this->numbers, $level, 0), 0, $level);
        $this->numbers[$level - 1]++;
        $this->doc .= "\n" . implode('.', $this->numbers) . ' ' . mb_strtoupper($text) . "\n\n";
    }

    public function cdata($text)
    {
        $this->doc .= $text;
    }

    public function p_close()
    {
        $this->doc .= "\n\n";
    }

    public function listcontent_open()
    {
        $this->doc .= ' - ';
    }

    public function listcontent_close()
    {
        $this->doc .= "\n";
    }

    public function footnote_open()
    {
        $this->kept = $this->doc;
        $this->doc = '';
    }

    public function footnote_close()
    {
        $this->notes[] = $this->doc;
        $this->doc = $this->kept . '[' . count($this->notes) . ']';
    }

    public function internallink($link, $title = null)
    {
        $this->doc .= (is_string($title) ? $title : $link) . " <$link>";
    }

    public function externallink($link, $title = null)
    {
        $this->doc .= (is_string($title) ? $title : $link) . " <$link>";
    }

    public function code($text, $language = null, $file = null)
    {
        $this->doc .= "\n    " . str_replace("\n", "\n    ", rtrim($text)) . "\n\n";
    }

    public function tablecell_close()
    {
        $this->doc .= "\t";
    }

    public function tableheader_close()
    {
        $this->doc .= "\t";
    }

    public function tablerow_close()
    {
        $this->doc .= "\n";
    }

    public function entity($entity)
    {
        $this->doc .= $this->entities[$entity] ?? $entity;
    }

    public function linebreak()
    {
        $this->doc .= "\n";
    }
}
