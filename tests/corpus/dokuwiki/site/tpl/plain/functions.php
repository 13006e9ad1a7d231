<?php

/** The tools of the page and the user as plain links. */
function plain_tools()
{
    $links = [];
    foreach ([new \dokuwiki\Menu\PageMenu(), new \dokuwiki\Menu\SiteMenu(), new \dokuwiki\Menu\UserMenu()] as $menu) {
        foreach ($menu->getItems() as $item) {
            $links[] = '<a ' . buildAttributes($item->getLinkAttributes('plain-')) . '>' . hsc($item->getLabel()) . '</a>';
        }
    }
    return $links;
}
