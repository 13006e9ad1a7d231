package Shelf::Schema::Result::Book;
use strict;
use warnings;
use base 'DBIx::Class::Core';
__PACKAGE__->load_components(qw(InflateColumn::DateTime));
__PACKAGE__->table('book');
__PACKAGE__->add_columns(
    id      => { data_type => 'integer', is_auto_increment => 1 },
    title   => { data_type => 'text' },
    price   => { data_type => 'real', is_nullable => 1 },
    printed => { data_type => 'date', is_nullable => 1 },
);
__PACKAGE__->set_primary_key('id');
1;
