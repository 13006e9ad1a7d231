package Shop::Export::Csv;
use Mojo::Base -base, -signatures;
use Text::CSV;

sub run ($self, $rows) {
    my $csv = Text::CSV->new({always_quote => 1, eol => "\n"});
    return join '', map { $csv->combine(@$_); $csv->string } @$rows;
}

1;
