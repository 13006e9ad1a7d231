package Workshop::Schema::Result::Part;
use strict;
use warnings;
use parent 'DBIx::Class::Core';
__PACKAGE__->table('part');
__PACKAGE__->add_columns(
    id => { data_type => 'integer', is_auto_increment => 1 },
    ticket_id => { data_type => 'integer', is_foreign_key => 1 },
    name => { data_type => 'varchar', size => 60 },
    pieces => { data_type => 'integer', default_value => 1 },
);
__PACKAGE__->set_primary_key('id');
__PACKAGE__->belongs_to(ticket => 'Workshop::Schema::Result::Ticket', 'ticket_id');
1;
