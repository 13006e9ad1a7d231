<?php
$base = new SQLite3(":memory:");
$base->exec("create table stock (name text); insert into stock values (\"iron\")");
echo $base->querySingle("select upper(name) from stock");
