<?php
namespace Shop\Page;

final class Orders
{
    public function __invoke(string ...$arguments): void
    {
        header('Content-Type: text/csv');
        $file = fopen('php://output', 'w');
        foreach ((new \Shop\Store())->all() as $row) {
            fputcsv($file, $row);
        }
    }
}
