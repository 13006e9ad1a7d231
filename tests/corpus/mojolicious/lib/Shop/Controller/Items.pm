package Shop::Controller::Items;
use Mojo::Base 'Mojolicious::Controller', -signatures;
use Mojo::Loader 'load_class';

sub list ($self) { $self->render(json => $self->store->all) }

sub add ($self) {
    my $v = $self->validation;
    $v->required('name', 'trim')->size(2, 20);
    $v->optional('count')->num(1, 9);
    return $self->render(json => {failed => $v->failed}, status => 422) if $v->has_error;
    $self->render(json => {id => $self->store->add($v->param('name'), $v->param('count') // 1)}, status => 201);
}

sub upload ($self) {
    my $file = $self->param('file');
    $self->render(json => {name => $file->filename, size => $file->size, type => $self->app->types->file_type($file->filename)});
}

sub export ($self) {
    my $class = 'Shop::Export::' . ucfirst($self->param('form') =~ s/\W//gr);
    if (my $error = load_class $class) {
        return $self->reply->exception($error) if ref $error;
        return $self->reply->not_found;
    }
    $self->render(text => $class->new->run($self->store->all), format => 'txt');
}

sub select ($self) {
    require Mojo::DOM;
    my $dom = Mojo::DOM->new($self->req->text);
    $self->render(json => $dom->find($self->param('css'))->map('text')->to_array);
}

sub hash ($self) {
    my $name = $self->param('name') =~ s/\W//gr;
    my $class = "Crypt::Digest::$name";
    return $self->reply->not_found if load_class $class;
    $self->render(text => $class->new->add('abc')->hexdigest);
}

1;
