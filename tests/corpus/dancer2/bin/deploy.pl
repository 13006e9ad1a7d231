#!/usr/bin/perl
use strict;
use warnings;
use utf8;
use DBI;
my $dbh = DBI->connect('dbi:SQLite:dbname=data/shelf.db', '', '', { RaiseError => 1, sqlite_unicode => 1 });
$dbh->do('create table book (id integer primary key, title text not null, price real, printed text)');
$dbh->do('insert into book (title, price, printed) values (?, ?, ?)', undef, @$_)
    for ['The Tea Book', 12.5, '1906-05-01'], ['Gänse & Größe', 3, '1999-12-31'];
