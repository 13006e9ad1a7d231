package Workshop::Slip;
# A slip of a ticket as PDF.
use Moose;
use namespace::autoclean;
use PDF::API2;

has ticket => (is => 'ro', required => 1);
has font => (is => 'ro', isa => 'Str', default => 'Helvetica');

sub render {
    my $self = shift;
    my $ticket = $self->ticket;
    my $pdf = PDF::API2->new;
    my $page = $pdf->page;
    $page->mediabox('A6');
    my $font = eval { $pdf->corefont($self->font) } || $pdf->corefont('Helvetica');
    my $text = $page->text;
    my $y = 380;
    for my $line ('Ticket ' . $ticket->id, $ticket->customer->name, $ticket->bicycle, 'CHF ' . sprintf('%.2f', $ticket->price), $ticket->due->ymd) {
        $text->font($font, 14);
        $text->translate(30, $y -= 24);
        $text->text($line);
    }
    my $draw = $page->gfx;
    $draw->strokecolor('#337777');
    $draw->rect(20, 20, 250, 370);
    $draw->stroke;
    return $pdf->stringify;
}

__PACKAGE__->meta->make_immutable;
1;
