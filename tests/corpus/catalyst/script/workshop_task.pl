#!/usr/bin/perl
# Runs a task of Workshop::Task by its name.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Module::Runtime qw(require_module);

$ENV{WORKSHOP_HOME} //= "$FindBin::Bin/..";
my ($name, @words) = @ARGV;
die "usage: workshop_task.pl TASK [WORD]...\n" if !defined $name || $name !~ /^[a-z]+$/;
my $class = 'Workshop::Task::' . ucfirst $name;
if (!eval { require_module($class) }) {
    print "there is no task $name\n";
    exit 2;
}
my $code = eval { $class->new->run(@words) };
if (!defined $code) {
    print "failed: $@";
    exit 1;
}
exit $code;
