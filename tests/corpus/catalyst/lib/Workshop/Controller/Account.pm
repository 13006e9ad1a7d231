package Workshop::Controller::Account;
# Log-in, log-out, the basket of parts in the session.
use Moose;
use namespace::autoclean;
BEGIN { extends 'Catalyst::Controller::HTML::FormFu' }

sub login :Local :Args(0) :FormConfig {
    my ($self, $c) = @_;
    my $form = $c->stash->{form};
    $c->stash(template => 'account/login.tt');
    return if !$form->submitted_and_valid;
    if ($c->authenticate({ username => $form->param_value('username'), password => $form->param_value('password') })) {
        $c->change_session_id;
        $c->res->redirect($c->uri_for('/account'));
        return;
    }
    $c->res->status(401);
    $c->stash(why => $c->loc('The name or the password is wrong.'));
}

sub index :Path :Args(0) {
    my ($self, $c) = @_;
    if (!$c->user_exists) {
        $c->res->redirect($c->uri_for('/account/login'));
        return;
    }
    $c->stash(template => 'account/index.tt', roles => [sort $c->user->roles], basket => $c->session->{basket} || {});
}

sub basket :Local :Args(0) {
    my ($self, $c) = @_;
    my $part = $c->req->body_params->{part};
    $c->session->{basket}{$part}++ if defined $part && $part =~ /^\w+$/;
    $c->flash->{message} = 'kept';
    $c->stash(json => { basket => $c->session->{basket} || {} }, current_view => 'JSON');
}

sub logout :Local :Args(0) {
    my ($self, $c) = @_;
    $c->logout;
    $c->delete_session('logged out');
    $c->res->redirect($c->uri_for('/'));
}

__PACKAGE__->meta->make_immutable;
1;
