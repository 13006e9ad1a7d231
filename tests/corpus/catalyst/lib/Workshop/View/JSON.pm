package Workshop::View::JSON;
use Moose;
use namespace::autoclean;
use JSON::MaybeXS ();
extends 'Catalyst::View::JSON';
__PACKAGE__->config(expose_stash => 'json');

sub encode_json {
    my ($self, $c, $data) = @_;
    return JSON::MaybeXS->new(canonical => 1, pretty => 1)->encode($data);
}
__PACKAGE__->meta->make_immutable(inline_constructor => 0);
1;
