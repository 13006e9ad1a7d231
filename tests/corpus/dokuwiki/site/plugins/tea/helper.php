<?php

/**
 * What the other parts of the plug-in need: the teas of a table that is a media file.
 */
class helper_plugin_tea extends dokuwiki\Extension\Plugin
{
    /** @return array<int, array<string, string>> the rows of the table */
    public function teas($file)
    {
        $path = mediaFN(cleanID($file));
        if (!file_exists($path)) {
            return [];
        }
        $handle = fopen($path, 'r');
        $names = fgetcsv($handle);
        $rows = [];
        while (($row = fgetcsv($handle)) !== false) {
            if (count($row) === count($names)) {
                $rows[] = array_combine($names, $row);
            }
        }
        fclose($handle);
        return $rows;
    }

    /** Sorts by a column, names as the language has it. */
    public function sorted(array $rows, $column, $locale)
    {
        $collator = new Collator($locale);
        $collator->setAttribute(Collator::NUMERIC_COLLATION, Collator::ON);
        usort($rows, static fn($one, $other) => $collator->compare($one[$column] ?? '', $other[$column] ?? ''));
        return $rows;
    }

    public function money($amount, $locale, $currency)
    {
        return (new NumberFormatter($locale, NumberFormatter::CURRENCY))->formatCurrency((float) $amount, $currency);
    }

    public function day($day, $locale)
    {
        $formatter = new IntlDateFormatter($locale, IntlDateFormatter::LONG, IntlDateFormatter::NONE, 'UTC');
        return $formatter->format(new DateTime($day, new DateTimeZone('UTC')));
    }

    public function count($file)
    {
        $formatter = new MessageFormatter($this->locale(), $this->getLang('count'));
        return $formatter->format([count($this->teas($file))]);
    }

    public function locale()
    {
        global $conf;
        return $this->getConf('locale') ?: $conf['lang'];
    }
}
