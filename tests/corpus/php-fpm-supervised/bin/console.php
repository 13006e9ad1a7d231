<?php
require __DIR__ . '/../lib/load.php';

use Symfony\Component\Console\Application;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Output\OutputInterface;

$application = new Application('site', '1.0');
$application->register('install')->setCode(function (InputInterface $input, OutputInterface $output): int {
    (new Site\Store())->save('first', "# First\n\nA *page*.");
    $output->writeln('<info>installed</info>');
    return 0;
});
$application->register('work')->setCode(function (): int {
    $store = new Site\Store();
    while (true) {
        $store->work();
        usleep(200000);
    }
});
$application->register('table')->setCode(function (InputInterface $input, OutputInterface $output): int {
    (new Symfony\Component\Console\Helper\Table($output))->setHeaders(['plug-in'])->setRows(array_map(fn ($n) => [$n], ['markdown', 'picture']))->render();
    return 0;
});
$application->run();
