package Shelf::Format::XML;
use strict;
use warnings;
use XML::Writer;
sub type { 'text/xml' }

sub write {
    my ($class, @rows) = @_;
    my $out = XML::Writer->new(OUTPUT => 'self', DATA_MODE => 1);
    $out->startTag('books');
    $out->dataElement('book', $_->{title}, id => $_->{id}) for @rows;
    $out->endTag;
    $out->end;
    return $out->to_string;
}
1;
