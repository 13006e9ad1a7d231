package Workshop::Task;
# What all tasks of script/workshop_task.pl have.
use Moose;
use namespace::autoclean;
use Config::General;
use Workshop::Schema;

has schema => (is => 'ro', lazy => 1, default => sub {
    my %conf = Config::General->new($ENV{WORKSHOP_HOME} . '/workshop.conf')->getall;
    my $info = $conf{'Model::DB'}{connect_info};
    return Workshop::Schema->connect({ %$info });
});

sub run { die ref(shift) . " does nothing\n" }

__PACKAGE__->meta->make_immutable;
1;
