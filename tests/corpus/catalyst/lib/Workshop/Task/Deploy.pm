package Workshop::Task::Deploy;
use Moose;
use namespace::autoclean;
extends 'Workshop::Task';

sub run {
    my $self = shift;
    $self->schema->deploy({ add_drop_table => 0 });
    my %role = map { $_ => $self->schema->resultset('Role')->create({ name => $_ }) } qw(master helper);
    for my $user (['ann', 's3cret-ann', qw(master helper)], ['bo', 's3cret-bo', 'helper']) {
        my ($name, $password, @roles) = @$user;
        my $row = $self->schema->resultset('User')->create({ username => $name, password => $password });
        $row->add_to_roles($role{$_}) for @roles;
    }
    return 0;
}
__PACKAGE__->meta->make_immutable;
1;
