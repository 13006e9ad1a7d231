<?php

namespace App\Command;

use App\Services;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Helper\Table;
use Symfony\Component\Console\Input\InputArgument;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;
use Symfony\Component\Console\Style\SymfonyStyle;

final class RenderCommand extends Command
{
    protected static $defaultName = 'app:render';
    protected static $defaultDescription = 'Renders a text as a template';

    protected function configure(): void
    {
        $this->addArgument('text', InputArgument::REQUIRED)->addOption('locale', 'l', InputOption::VALUE_REQUIRED, 'The locale', 'en');
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $style = new SymfonyStyle($input, $output);
        \Locale::setDefault($input->getOption('locale'));
        $twig = (new Services())->twig();
        $style->title('Rendered');
        (new Table($output))->setHeaders(['text', 'result'])->setRows([[$input->getArgument('text'), $twig->createTemplate($input->getArgument('text'))->render()]])->render();

        return Command::SUCCESS;
    }
}
