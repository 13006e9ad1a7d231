package Workshop::Schema::Result::Role;
use strict;
use warnings;
use parent 'DBIx::Class::Core';
__PACKAGE__->table('role');
__PACKAGE__->add_columns(
    id => { data_type => 'integer', is_auto_increment => 1 },
    name => { data_type => 'varchar', size => 20 },
);
__PACKAGE__->set_primary_key('id');
1;
