<?php
namespace Site;

final class Store
{
    private \PDO $db;

    public function __construct()
    {
        $this->db = new \PDO('sqlite:' . __DIR__ . '/../data/site.db', options: [\PDO::ATTR_ERRMODE => \PDO::ERRMODE_EXCEPTION]);
        $this->db->exec('create table if not exists page (slug text primary key, text text); create table if not exists job (id integer primary key, name text, done text)');
        $this->db->exec('create virtual table if not exists search using fts5(slug, text)');
    }

    public function save(string $slug, string $text): void
    {
        $this->db->prepare('replace into page values (?, ?)')->execute([$slug, $text]);
        $this->db->prepare('insert into search values (?, ?)')->execute([$slug, $text]);
    }

    public function page(string $slug): ?string
    {
        $query = $this->db->prepare('select text from page where slug = ?');
        $query->execute([$slug]);
        return $query->fetchColumn() ?: null;
    }

    public function search(string $words): array
    {
        $query = $this->db->prepare("select slug, highlight(search, 1, '[', ']') as text from search where search match ?");
        $query->execute([$words]);
        return $query->fetchAll(\PDO::FETCH_ASSOC);
    }

    public function queue(string $name): int
    {
        $this->db->prepare('insert into job (name) values (?)')->execute([$name]);
        return (int) $this->db->lastInsertId();
    }

    public function work(): void
    {
        foreach ($this->db->query('select id, name from job where done is null')->fetchAll(\PDO::FETCH_ASSOC) as $job) {
            $this->db->prepare('update job set done = ? where id = ?')->execute([Hooks::run("job_$job[name]", 'no such job'), $job['id']]);
        }
    }

    public function job(int $id): ?string
    {
        $query = $this->db->prepare('select done from job where id = ?');
        $query->execute([$id]);
        return $query->fetchColumn() ?: null;
    }
}
