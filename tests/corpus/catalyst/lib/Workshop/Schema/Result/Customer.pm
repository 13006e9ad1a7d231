package Workshop::Schema::Result::Customer;
use strict;
use warnings;
use parent 'DBIx::Class::Core';
__PACKAGE__->table('customer');
__PACKAGE__->add_columns(
    id => { data_type => 'integer', is_auto_increment => 1 },
    name => { data_type => 'varchar', size => 80 },
    email => { data_type => 'varchar', size => 120, is_nullable => 1 },
);
__PACKAGE__->set_primary_key('id');
__PACKAGE__->add_unique_constraint([qw(name)]);
__PACKAGE__->has_many(tickets => 'Workshop::Schema::Result::Ticket', 'customer_id');
1;
