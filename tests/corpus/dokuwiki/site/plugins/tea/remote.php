<?php

/**
 * Calls of XML-RPC: plugin.tea.teas and plugin.tea.price.
 */
class remote_plugin_tea extends dokuwiki\Extension\RemotePlugin
{
    /**
     * Returns the teas of a table
     *
     * @param string $file the media file
     * @param string $locale the language that the names are sorted in
     * @return array rows
     */
    public function teas($file, $locale = 'en')
    {
        /** @var helper_plugin_tea $helper */
        $helper = plugin_load('helper', 'tea');
        return $helper->sorted($helper->teas($file), 'name', $locale);
    }

    /**
     * Returns the price of a tea
     *
     * @param string $file the media file
     * @param string $name the tea
     * @return double the price
     */
    public function price($file, $name)
    {
        foreach ($this->teas($file) as $row) {
            if ($row['name'] === $name) {
                return (float) $row['price'];
            }
        }
        throw new dokuwiki\Remote\RemoteException("There is no tea $name", 17);
    }
}
