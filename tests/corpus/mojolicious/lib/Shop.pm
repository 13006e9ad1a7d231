package Shop;
use Mojo::Base 'Mojolicious', -signatures;

sub startup ($self) {
    $self->secrets(['shop']);
    push @{$self->commands->namespaces}, 'Shop::Command';
    $self->helper(store => sub { require Shop::Store; state $store = Shop::Store->new('/var/lib/shop/shop.db') });
    my $r = $self->routes;
    $r->get('/')->to('pages#index');
    $r->get('/page/:name')->to('pages#page');
    $r->get('/zone/*zone')->to('pages#zone');
    $r->get('/count')->to('pages#count');
    $r->get('/fail')->to('pages#fail');
    $r->get('/items')->to('items#list');
    $r->post('/items')->to('items#add');
    $r->post('/upload')->to('items#upload');
    $r->get('/export/:form')->to('items#export');
    $r->post('/select')->to('items#select');
    $r->get('/hash/:name')->to('items#hash');
    $r->get('/far')->to('pages#far');
    $r->get('/mail')->to('pages#mail');
    $r->websocket('/live')->to('pages#live');
}

1;
