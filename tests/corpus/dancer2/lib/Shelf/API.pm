package Shelf::API;
use Dancer2 appname => 'Shelf::API';
use Shelf::Schema;
set engines => { serializer => { JSON => { canonical => 1, convert_blessed => 1 } } };
set serializer => 'JSON';

sub books { Shelf::Schema->here->resultset('Book') }

get '/books' => sub { [map { { $_->get_columns } } books->search({ title => { -like => '%' . (query_parameters->get('q') // '') . '%' } }, { order_by => { -desc => 'price' } })->all] };
post '/books' => sub {
    my $data = request->data;
    send_error('a title is missing', 422) unless ref $data eq 'HASH' && $data->{title};
    status 201;
    return { id => books->create({ title => $data->{title}, price => $data->{price} })->id };
};
del '/books/:id' => sub { { removed => 0 + books->search({ id => route_parameters->get('id') })->delete } };
1;
