<?php

use dokuwiki\Form\Form;

/**
 * A page for administrators: which pages use which table, and a button that clears their cache.
 */
class admin_plugin_tea extends dokuwiki\Extension\AdminPlugin
{
    private int $cleared = -1;

    public function forAdminOnly()
    {
        return false;
    }

    public function getMenuSort()
    {
        return 900;
    }

    public function handle()
    {
        global $INPUT;
        if ($INPUT->bool('clear') && checkSecurityToken()) {
            $this->cleared = 0;
            foreach ($this->uses() as $page => $tables) {
                p_set_metadata($page, ['tea' => ['tables' => count($tables)]]);
                $this->cleared++;
            }
        }
    }

    public function html()
    {
        echo '<h1>' . hsc($this->getLang('menu')) . '</h1>';
        echo $this->locale_xhtml('intro');
        if ($this->cleared >= 0) {
            echo '<p class="cleared">' . $this->cleared . '</p>';
        }
        echo '<ul>';
        foreach ($this->uses() as $page => $tables) {
            echo '<li>' . html_wikilink(':' . $page) . ' ' . hsc(implode(', ', $tables)) . '</li>';
        }
        echo '</ul>';
        $form = new Form(['method' => 'POST']);
        $form->setHiddenField('do', 'admin');
        $form->setHiddenField('page', 'tea');
        $form->addButton('clear', $this->getLang('clear'))->val('1');
        echo $form->toHTML();
    }

    private function uses()
    {
        global $conf;
        $pages = [];
        search($pages, $conf['datadir'], 'search_allpages', []);
        $uses = [];
        foreach ($pages as $page) {
            if (preg_match_all('/\{\{tea>([^?}]+)/', rawWiki($page['id']), $found)) {
                $uses[$page['id']] = array_unique($found[1]);
            }
        }
        ksort($uses);
        return $uses;
    }
}
