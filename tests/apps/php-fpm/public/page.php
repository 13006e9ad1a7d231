<?php
$name = basename($_GET["name"]);
include __DIR__ . "/../templates/header.php";
include __DIR__ . "/../templates/$name.php";
