package Shop::Controller::Pages;
use Mojo::Base 'Mojolicious::Controller', -signatures;
use utf8;

sub index ($self) { $self->render }

sub page ($self) { $self->render('pages/' . ($self->param('name') =~ s/\W//gr)) }

sub zone ($self) {
    require DateTime;
    my $day = DateTime->new(year => 2024, month => 7, day => 1, hour => 12, time_zone => 'UTC', locale => $self->param('lang') // 'en');
    $day->set_time_zone($self->param('zone'));
    $self->render(text => $day->format_cldr($day->locale->datetime_format_full));
}

sub count ($self) {
    $self->session(n => ($self->session('n') // 0) + 1);
    $self->render(text => $self->session('n'));
}

sub fail ($self) { die "it broke\n" }

sub far ($self) {
    $self->ua->get_p($self->url_for('/items')->to_abs->host('127.0.0.1')->port(3000)->scheme('http'))
        ->then(sub ($tx) { $self->render(text => $tx->res->body) })
        ->catch(sub ($error) { $self->render(text => $error, status => 502) });
    $self->render_later;
}

sub mail ($self) {
    require Email::MIME;
    my $mail = Email::MIME->create(
        header_str => [From => 'a@example.org', Subject => 'Grüße', Date => 'x'],
        attributes => {charset => 'UTF-8', encoding => 'quoted-printable'},
        body_str   => "Größe\n",
    );
    $self->render(text => $mail->as_string);
}

sub live ($self) {
    $self->on(json => sub ($c, $hash) { $c->send({json => {said => uc $hash->{text}}}) });
}

1;
