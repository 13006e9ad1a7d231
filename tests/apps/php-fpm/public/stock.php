<?php
$base = new PDO("sqlite::memory:");
$base->exec("create table stock (name text)");
foreach (["iron", "zinc"] as $name) {
    $base->prepare("insert into stock values (?)")->execute([$name]);
}
echo json_encode($base->query("select name from stock order by name desc")->fetchAll(PDO::FETCH_COLUMN));
