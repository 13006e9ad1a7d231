<?php
Site\Hooks::add('text', fn (string $text) => (new Parsedown())->setSafeMode(true)->text($text));
