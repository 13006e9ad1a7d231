package Workshop::Controller::API;
# Tickets for programs, in the form that they ask for.
use Moose;
use namespace::autoclean;
BEGIN { extends 'Catalyst::Controller::REST' }

__PACKAGE__->config(
    default => 'application/json',
    json_options_encode => { canonical => 1, ascii => 1 },
    map => {
        'text/html' => ['View', 'HTML'],
        'application/json' => 'JSON',
        'text/x-json' => 'JSON',
        'text/x-yaml' => 'YAML',
        'text/xml' => 'XML::Simple',
        'text/x-data-dumper' => ['Data::Serializer', 'Data::Dumper'],
        'application/javascript' => 'JSONP',
        'text/x-config-general' => ['Callback', { serialize => \&_conf, deserialize => \&_no }],
    },
);

sub _conf {
    my ($data, $self, $c) = @_;
    require Config::General;
    return Config::General->new(-SaveSorted => 1)->save_string($data);
}

sub _no { die "this form is for answers only\n" }

sub tickets :Local :ActionClass('REST') { }

sub tickets_GET {
    my ($self, $c, $id) = @_;
    my $set = $c->model('DB::Ticket')->with_customer;
    if (defined $id) {
        my $ticket = $id =~ /^\d+$/ ? $set->find($id) : undef;
        return $self->status_not_found($c, message => "there is no ticket $id") if !$ticket;
        return $self->status_ok($c, entity => $ticket->plain);
    }
    $self->status_ok($c, entity => { ticket => [map { $_->plain } $set->search({ 'me.id' => { '<=' => 2 } })->all] });
}

sub tickets_POST {
    my ($self, $c) = @_;
    my $data = $c->req->data;
    return $self->status_bad_request($c, message => 'customer, bicycle and due are needed') if ref $data ne 'HASH' || grep { !length($data->{$_} // '') } qw(customer bicycle due);
    my $due = eval { require DateTime::Format::ISO8601; DateTime::Format::ISO8601->parse_datetime($data->{due}) } || eval { require DateTime::Format::Strptime; DateTime::Format::Strptime->new(pattern => '%F', on_error => 'croak')->parse_datetime($data->{due}) };
    return $self->status_bad_request($c, message => 'due is no day') if !$due;
    my $customer = $c->model('DB::Customer')->find_or_create({ name => $data->{customer} }, { key => 'customer_name' });
    my $ticket = $customer->create_related(tickets => { bicycle => $data->{bicycle}, due => $due, price => $data->{price} || 0 });
    $ticket->create_related(parts => { name => $_ }) for ref $data->{parts} ? @{ $data->{parts} } : $data->{parts} // ();
    $ticket->discard_changes;
    $self->status_created($c, location => $c->uri_for('/api/tickets', $ticket->id), entity => $ticket->plain);
}

sub tickets_DELETE {
    my ($self, $c, $id) = @_;
    my $ticket = $c->model('DB::Ticket')->find($id // 0) or return $self->status_not_found($c, message => 'nothing to remove');
    $ticket->delete;
    $self->status_no_content($c);
}

__PACKAGE__->meta->make_immutable;
1;
