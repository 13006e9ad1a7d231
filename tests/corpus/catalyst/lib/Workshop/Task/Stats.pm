package Workshop::Task::Stats;
# stats [LOCALE] [ZONE]: tickets by month, in words of a language.
use Moose;
use namespace::autoclean;
use DateTime;
extends 'Workshop::Task';

sub run {
    my ($self, $locale, $zone) = @_;
    require DateTime::Locale;
    my $names = DateTime::Locale->load($locale || 'en');
    binmode STDOUT, ':encoding(UTF-8)';
    my %sum;
    for my $ticket ($self->schema->resultset('Ticket')->all) {
        $sum{ $ticket->due->strftime('%Y-%m') } += $ticket->price;
    }
    require Number::Format;
    my $number = Number::Format->new(-thousands_sep => ' ', -decimal_point => ',');
    for my $month (sort keys %sum) {
        my ($y, $m) = split /-/, $month;
        my $day = DateTime->new(year => $y, month => $m, locale => $names, time_zone => $zone || 'UTC');
        printf "%s: %s\n", $day->format_cldr('LLLL y, VVVV'), $number->format_number($sum{$month}, 2, 1);
    }
    return 0;
}
__PACKAGE__->meta->make_immutable;
1;
