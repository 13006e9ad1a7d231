<?php

namespace App\Repository;

use App\Entity\Note;
use Doctrine\DBAL\Connection;
use Doctrine\DBAL\Schema\Schema;
use Symfony\Component\PropertyAccess\PropertyAccess;

final class NoteRepository
{
    public function __construct(private Connection $database)
    {
    }

    public function install(): bool
    {
        if ($this->database->createSchemaManager()->tablesExist(['note'])) {
            return false;
        }
        $schema = new Schema();
        $table = $schema->createTable('note');
        $table->addColumn('id', 'integer', ['autoincrement' => true]);
        foreach (['title', 'text', 'mail', 'day'] as $name) {
            $table->addColumn($name, 'text', ['notnull' => false]);
        }
        $table->addColumn('price', 'float');
        $table->setPrimaryKey(['id']);
        foreach ($schema->toSql($this->database->getDatabasePlatform()) as $line) {
            $this->database->executeStatement($line);
        }

        return true;
    }

    public function add(Note $note): int
    {
        $this->database->insert('note', array_diff_key(get_object_vars($note), ['id' => 0]));

        return (int) $this->database->lastInsertId();
    }

    /** @return Note[] */
    public function all(string $order = 'id'): array
    {
        $order = \in_array($order, ['id', 'title', 'price'], true) ? $order : 'id';
        $rows = $this->database->createQueryBuilder()->select('*')->from('note')->orderBy($order)->executeQuery()->fetchAllAssociative();

        return array_map($this->note(...), $rows);
    }

    public function find(int $id): ?Note
    {
        $row = $this->database->fetchAssociative('SELECT * FROM note WHERE id = ?', [$id]);

        return $row ? $this->note($row) : null;
    }

    private function note(array $row): Note
    {
        $note = new Note();
        $access = PropertyAccess::createPropertyAccessor();
        foreach ($row as $name => $value) {
            $access->setValue($note, $name, \is_numeric($value) ? 0 + $value : $value);
        }

        return $note;
    }
}
