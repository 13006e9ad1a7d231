package Workshop::Task::Import;
# import FILE [CHARSET]: tickets of a CSV file.
use Moose;
use namespace::autoclean;
use Text::CSV_XS;
use DateTime::Format::Strptime;
extends 'Workshop::Task';

sub run {
    my ($self, $file, $charset) = @_;
    $charset ||= 'UTF-8';
    open my $fh, "<:encoding($charset)", $file or die "no file $file\n";
    my $csv = Text::CSV_XS->new({ binary => 1, auto_diag => 0 });
    $csv->column_names($csv->getline($fh));
    my $format = DateTime::Format::Strptime->new(pattern => '%Y-%m-%d', on_error => 'croak');
    my $count = 0;
    $self->schema->txn_do(sub {
        while (my $row = $csv->getline_hr($fh)) {
            my $customer = $self->schema->resultset('Customer')->find_or_create({ name => $row->{customer}, email => $row->{email} }, { key => 'customer_name' });
            my $ticket = $customer->create_related(tickets => { (map { $_ => $row->{$_} } qw(bicycle notes state price)), due => $format->parse_datetime($row->{due}) });
            $ticket->create_related(parts => { name => $_ }) for split /\+/, $row->{parts} // '';
            $count++;
        }
    });
    print "$count tickets\n";
    return 0;
}
__PACKAGE__->meta->make_immutable;
1;
