package Workshop::Controller::Root;
use Moose;
use namespace::autoclean;
use utf8;
BEGIN { extends 'Catalyst::Controller' }
__PACKAGE__->config(namespace => '');

sub auto :Private {
    my ($self, $c) = @_;
    my $language = $c->req->query_params->{lang};
    if ($language && $language =~ /^[a-z]{2}(?:-[A-Za-z]+)?$/) {
        $c->languages([$language, 'en']);
    }
    return 1;
}

sub index :Path :Args(0) {
    my ($self, $c) = @_;
    $c->stash(template => 'index.tt', tickets => [$c->model('DB::Ticket')->with_customer->search({ state => 'open' }, { rows => 3 })->all]);
}

sub about :Local :Args(0) {
    my ($self, $c) = @_;
    $c->stash(template => 'about.tt');
}

sub clock :Local :Args(0) {
    my ($self, $c) = @_;
    require DateTime;
    my $zone = $c->req->param('zone') || $c->config->{time_zone};
    my $time = DateTime->new(year => 2024, month => 7, day => 1, hour => 12, time_zone => 'UTC');
    eval { $time->set_time_zone($zone); 1 } or $c->detach('/refused', ["no zone $zone"]);
    $c->stash(template => 'clock.tt', time => $time, zone => $zone);
}

sub broken :Local :Args(0) {
    my ($self, $c) = @_;
    require Workshop::Task::Missing;
}

sub refused :Private {
    my ($self, $c, $why) = @_;
    $c->res->status(400);
    $c->stash(template => 'refused.tt', why => $why);
}

sub default :Path {
    my ($self, $c) = @_;
    $c->res->status(404);
    $c->stash(template => 'missing.tt');
}

sub render :ActionClass('RenderView') { }

sub end :Private {
    my ($self, $c) = @_;
    $c->forward('render') if !@{ $c->error };
    if (my @errors = @{ $c->error }) {
        $c->log->error($_) for @errors;
        $c->clear_errors;
        $c->res->status(500);
        my ($why) = $errors[0] =~ /((?:Can't|Couldn't|Caught|file error|undef error|plugin error)[^.(]*)/;
        $c->stash(template => 'error.tt', why => $why);
        $c->forward($c->view('HTML'));
    }
}

__PACKAGE__->meta->make_immutable;
1;
