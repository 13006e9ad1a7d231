package Workshop::Controller::Report;
# Reports in several formats.
use Moose;
use namespace::autoclean;
BEGIN { extends 'Catalyst::Controller' }

sub sums :Local :Args(0) {
    my ($self, $c) = @_;
    my @rows = map { [$_->state, $_->get_column('number'), sprintf '%.2f', $_->get_column('total')] } $c->model('DB::Ticket')->sums->all;
    $c->stash(template => 'report.tt', rows => \@rows);
}

sub csv :Path('tickets.csv') :Args(0) {
    my ($self, $c) = @_;
    my @rows = map { [$_->id, $_->customer->name, $_->bicycle, $_->due->ymd] } $c->model('DB::Ticket')->with_customer->search({ 'me.id' => { '<=' => 6 } })->all;
    $c->stash(columns => [map { $c->loc($_) } 'Number', 'Customer', 'Bicycle', 'Due'], data => \@rows, current_view => 'CSV');
}

sub xlsx :Path('tickets.xlsx') :Args(0) {
    my ($self, $c) = @_;
    require Excel::Writer::XLSX;
    open my $fh, '>', \my $bytes or die "Can't write";
    my $book = Excel::Writer::XLSX->new($fh);
    $book->set_properties(title => 'Tickets', created => [0, 0, 0, 1, 0, 124]);
    my $sheet = $book->add_worksheet($c->loc('Tickets'));
    my $bold = $book->add_format(bold => 1);
    $sheet->write_row(0, 0, [map { $c->loc($_) } 'Number', 'Customer', 'Price'], $bold);
    my $row = 1;
    for my $ticket ($c->model('DB::Ticket')->with_customer->search({ 'me.id' => { '<=' => 6 } })->all) {
        $sheet->write_row($row++, 0, [$ticket->id, $ticket->customer->name, $ticket->price]);
    }
    $sheet->write_formula($row, 2, "=SUM(C2:C$row)");
    my $chart = $book->add_chart(type => 'column', embedded => 1);
    $chart->add_series(values => "=" . $sheet->get_name . "!\$C\$2:\$C\$$row");
    $sheet->insert_chart('E2', $chart);
    $book->close;
    $c->res->content_type('application/vnd.openxmlformats-officedocument.spreadsheetml.sheet');
    $c->res->header('Content-Disposition' => 'attachment; filename="tickets.xlsx"');
    $c->res->body($bytes);
}

sub schema :Local :Args(1) {
    my ($self, $c, $kind) = @_;
    $c->detach('/refused', ["no data base $kind"]) if $kind !~ /^(?:MySQL|PostgreSQL|SQLite|Oracle|YAML|GraphViz|HTML)$/;
    my $text = $c->model('DB')->schema->deployment_statements($kind, undef, undef, { add_drop_table => 0, no_comments => 1, show_warnings => 0 });
    $c->res->content_type('text/plain; charset=utf-8');
    $c->res->body($text);
}

__PACKAGE__->meta->make_immutable;
1;
