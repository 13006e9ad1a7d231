package Shelf::Format::CSV;
use strict;
use warnings;
use Text::CSV;
sub type { 'text/csv' }

sub write {
    my ($class, @rows) = @_;
    my $csv = Text::CSV->new({ binary => 1, eol => "\n" });
    return join '', map { $csv->combine(@$_{qw(id title price printed)}); $csv->string } @rows;
}
1;
