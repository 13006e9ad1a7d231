<?php
namespace Shop;

final class Store
{
    private \PDO $db;

    public function __construct()
    {
        $this->db = new \PDO('sqlite:/var/www/data/shop.db');
        $this->db->exec('create table if not exists item (id integer primary key, name text, n int)');
    }

    public function add(string $name, int $count): string
    {
        $this->db->prepare('insert into item (name, n) values (?, ?)')->execute([mb_convert_case($name, MB_CASE_TITLE), $count]);
        return $this->db->lastInsertId();
    }

    public function all(): array
    {
        return $this->db->query('select * from item order by id')->fetchAll(\PDO::FETCH_ASSOC);
    }
}
