package Workshop::Schema::Result::Ticket;
use strict;
use warnings;
use parent 'DBIx::Class::Core';
__PACKAGE__->load_components(qw(InflateColumn::DateTime TimeStamp));
__PACKAGE__->table('ticket');
__PACKAGE__->add_columns(
    id => { data_type => 'integer', is_auto_increment => 1 },
    customer_id => { data_type => 'integer', is_foreign_key => 1 },
    bicycle => { data_type => 'varchar', size => 80 },
    notes => { data_type => 'text', is_nullable => 1 },
    state => { data_type => 'varchar', size => 10, default_value => 'open' },
    price => { data_type => 'numeric', size => [8, 2], default_value => 0 },
    due => { data_type => 'date' },
    changed => { data_type => 'datetime', set_on_create => 1, set_on_update => 1 },
);
__PACKAGE__->set_primary_key('id');
__PACKAGE__->belongs_to(customer => 'Workshop::Schema::Result::Customer', 'customer_id');
__PACKAGE__->has_many(parts => 'Workshop::Schema::Result::Part', 'ticket_id');

sub plain {
    my $self = shift;
    return {
        id => 0 + $self->id,
        customer => $self->customer->name,
        bicycle => $self->bicycle,
        state => $self->state,
        price => sprintf('%.2f', $self->price),
        due => $self->due->ymd,
        parts => [map { { name => $_->name, pieces => 0 + $_->pieces } } $self->parts->search(undef, { order_by => 'id' })->all],
    };
}
1;
