package Workshop::View::CSV;
use Moose;
use namespace::autoclean;
extends 'Catalyst::View::CSV';
__PACKAGE__->config(sep_char => ';', suffix => 'csv', charset => 'utf-8');
__PACKAGE__->meta->make_immutable(inline_constructor => 0);
1;
