<?php

namespace App\Command;

use App\Entity\Note;
use App\Repository\NoteRepository;
use App\Services;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Output\OutputInterface;
use Symfony\Component\Yaml\Yaml;

final class InstallCommand extends Command
{
    protected static $defaultName = 'app:install';

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $notes = new NoteRepository((new Services())->database());
        if ($notes->install()) {
            foreach (Yaml::parseFile(\App\root('config/notes.yaml')) as $values) {
                $note = new Note();
                foreach ($values as $name => $value) {
                    $note->$name = $value;
                }
                $notes->add($note);
            }
            $output->writeln('<info>Installed</info>');
        }

        return Command::SUCCESS;
    }
}
