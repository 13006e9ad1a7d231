package Shelf::Schema;
use strict;
use warnings;
use base 'DBIx::Class::Schema';
__PACKAGE__->load_namespaces;

sub here {
    return __PACKAGE__->connect('dbi:SQLite:dbname=data/shelf.db', '', '', { sqlite_unicode => 1 });
}
1;
