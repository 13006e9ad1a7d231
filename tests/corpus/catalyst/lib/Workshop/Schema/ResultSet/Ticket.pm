package Workshop::Schema::ResultSet::Ticket;
use strict;
use warnings;
use parent 'Workshop::Schema::ResultSet';

sub with_customer {
    my $self = shift;
    return $self->search_rs(undef, { prefetch => 'customer', order_by => 'me.id' });
}

sub like {
    my ($self, $word) = @_;
    return $self->search_rs({ -or => [map { +{ $_ => { -like => "%$word%" } } } qw(me.bicycle me.notes customer.name)] });
}

sub sums {
    my $self = shift;
    return $self->search_rs(
        undef,
        {
            select => ['state', { count => '*', -as => 'number' }, { sum => 'price', -as => 'total' }],
            as => [qw(state number total)],
            group_by => 'state',
            order_by => 'state',
        }
    );
}
1;
