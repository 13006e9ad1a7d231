package Workshop::Task::Routes;
# routes: the paths of the application.
use Moose;
use namespace::autoclean;
extends 'Workshop::Task';

sub run {
    my $self = shift;
    require Module::Runtime;
    Module::Runtime::require_module('Workshop');
    my %seen;
    for my $name (sort Workshop->controllers) {
        for my $action (Workshop->controller($name)->get_action_methods) {
            $seen{ $name . ': ' . $action->name } = 1 if $action->name !~ /^(?:_|end|auto)/;
        }
    }
    print "$_\n" for sort keys %seen;
    return 0;
}
__PACKAGE__->meta->make_immutable;
1;
