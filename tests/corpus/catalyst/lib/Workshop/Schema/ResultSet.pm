package Workshop::Schema::ResultSet;
# What all result sets can do.
use strict;
use warnings;
use parent 'DBIx::Class::ResultSet';

sub page_of {
    my ($self, $page, $rows) = @_;
    return $self->search_rs(undef, { page => $page || 1, rows => $rows || 5 });
}
1;
