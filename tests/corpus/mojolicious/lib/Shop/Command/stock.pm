package Shop::Command::stock;
use Mojo::Base 'Mojolicious::Command', -signatures;

has description => 'Prints the number of items';
has usage       => "usage: shop.pl stock\n";

sub run ($self, @) { say scalar @{$self->app->store->all} }

1;
