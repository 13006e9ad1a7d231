package Workshop::Task::Dump;
# dump FORMAT: all customers, by a serialiser that is named.
use Moose;
use namespace::autoclean;
extends 'Workshop::Task';

my %format = (
    json => sub { require JSON::MaybeXS; JSON::MaybeXS->new(canonical => 1, pretty => 1, ascii => 1)->encode($_[0]) },
    yaml => sub { require YAML::Syck; local $YAML::Syck::SortKeys = 1; YAML::Syck::Dump($_[0]) },
    xml => sub { require XML::Simple; XML::Simple::XMLout({ customer => $_[0] }, RootName => 'customers', NoAttr => 1, NumericEscape => 2) },
    perl => sub { require Data::Dumper; local $Data::Dumper::Sortkeys = 1; local $Data::Dumper::Indent = 1; Data::Dumper::Dumper($_[0]) },
);

sub run {
    my ($self, $name) = @_;
    my $format = $format{ $name // '' } or die "formats: @{[sort keys %format]}\n";
    my $set = $self->schema->resultset('Customer')->search(undef, { order_by => 'id', result_class => 'DBIx::Class::ResultClass::HashRefInflator' });
    print $format->([$set->all]);
    return 0;
}
__PACKAGE__->meta->make_immutable;
1;
