package Workshop::Controller::Tickets;
# Tickets: lists, pages, forms, photos.
use Moose;
use namespace::autoclean;
use utf8;
BEGIN { extends 'Catalyst::Controller::HTML::FormFu' }

sub base :Chained('/') PathPart('tickets') CaptureArgs(0) {
    my ($self, $c) = @_;
    $c->stash(tickets => $c->model('DB::Ticket')->with_customer);
}

sub list :Chained('base') PathPart('') Args(0) {
    my ($self, $c) = @_;
    my $set = $c->stash->{tickets};
    my $word = $c->req->query_params->{q};
    $set = $set->like($word) if length($word // '');
    my $page = $c->req->query_params->{page} // 1;
    $page = 1 if $page !~ /^[1-9]\d*$/;
    $set = $set->page_of($page, 4);
    $c->stash(template => 'tickets/list.tt', list => [$set->all], pager => $set->pager, word => $word);
}

sub one :Chained('base') PathPart('') CaptureArgs(1) {
    my ($self, $c, $id) = @_;
    $c->detach('/default') if $id !~ /^\d+$/;
    my $ticket = $c->stash->{tickets}->find($id) or $c->detach('/default');
    $c->stash(ticket => $ticket);
}

sub view :Chained('one') PathPart('') Args(0) {
    my ($self, $c) = @_;
    $c->stash(template => 'tickets/view.tt');
}

sub json :Chained('one') PathPart('json') Args(0) {
    my ($self, $c) = @_;
    $c->stash(json => $c->stash->{ticket}->plain, current_view => 'JSON');
}

sub slip :Chained('one') PathPart('slip.pdf') Args(0) {
    my ($self, $c) = @_;
    require Workshop::Slip;
    $c->res->content_type('application/pdf');
    $c->res->body(Workshop::Slip->new(ticket => $c->stash->{ticket}, font => $c->req->param('font') || 'Helvetica')->render);
}

# The form is root/forms/tickets/create.yml.
sub create :Chained('base') PathPart('create') Args(0) FormConfig {
    my ($self, $c) = @_;
    my $form = $c->stash->{form};
    if ($form->submitted_and_valid) {
        my $customer = $c->model('DB::Customer')->find_or_create({ name => $form->param_value('customer'), email => $form->param_value('email') }, { key => 'customer_name' });
        my $ticket = $customer->create_related(
            tickets => { map { $_ => $form->param_value($_) } qw(bicycle notes price due) }
        );
        $c->res->redirect($c->uri_for($self->action_for('view'), [$ticket->id]));
        $c->detach;
    }
    $c->res->status(422) if $form->submitted;
    $c->stash(template => 'tickets/create.tt');
}

sub photo :Chained('one') PathPart('photo') Args(0) {
    my ($self, $c) = @_;
    require Workshop::Photo;
    my $id = $c->stash->{ticket}->id;
    if ($c->req->method eq 'POST') {
        my $upload = $c->req->upload('photo') or $c->detach('/refused', [$c->loc('No photo was sent.')]);
        my $photo = eval { Workshop::Photo->read($upload->fh) } or $c->detach('/refused', [$c->loc('This is no picture.')]);
        $photo->keep("/var/lib/workshop/photos/$id.png");
        $c->res->status(201);
        $c->stash(json => { ticket => 0 + $id, name => $upload->basename, type => $upload->type, size => 0 + $upload->size, width => $photo->width, height => $photo->height }, current_view => 'JSON');
        return;
    }
    my $file = "/var/lib/workshop/photos/$id.png";
    $c->detach('/default') if !-e $file;
    my $format = $c->req->param('as') || 'jpeg';
    $c->detach('/refused', ["no format $format"]) if $format !~ /^(?:jpeg|png|gif|bmp|tiff|tga|raw)$/;
    open my $fh, '<:raw', $file or die "Can't read $file";
    my $photo = Workshop::Photo->read($fh);
    $c->res->content_type($format eq 'jpeg' ? 'image/jpeg' : "image/$format");
    $c->res->body($photo->thumb($c->req->param('width') || 40, $format, $c->req->param('label')));
}

sub close :Chained('one') PathPart('close') Args(0) {
    my ($self, $c) = @_;
    if (!$c->user_exists) {
        $c->res->redirect($c->uri_for('/account/login'));
        $c->detach;
    }
    if (!$c->check_user_roles('master')) {
        $c->res->status(403);
        $c->stash(template => 'refused.tt', why => $c->loc('Only a master closes tickets.'));
        $c->detach;
    }
    my $ticket = $c->stash->{ticket};
    $c->model('DB')->schema->txn_do(sub { $ticket->update({ state => 'done' }) });
    $c->stash(
        email => {
            to => $ticket->customer->email || 'desk@example.org',
            from => 'desk@example.org',
            subject => $c->loc('Your bicycle is ready'),
            template => 'ready.tt',
        }
    );
    $c->forward($c->view('Mail'));
    $c->stash(template => 'tickets/view.tt');
}

__PACKAGE__->meta->make_immutable;
1;
