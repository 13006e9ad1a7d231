<?php

namespace App\Twig;

use League\CommonMark\GithubFlavoredMarkdownConverter;
use Twig\Extension\AbstractExtension;
use Twig\TwigFilter;

final class AppExtension extends AbstractExtension
{
    public function getFilters(): array
    {
        return [new TwigFilter('markdown', fn (string $text) => (new GithubFlavoredMarkdownConverter(['html_input' => 'escape']))->convert($text)->getContent(), ['is_safe' => ['html']])];
    }
}
