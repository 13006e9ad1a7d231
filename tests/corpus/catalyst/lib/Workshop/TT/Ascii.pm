package Workshop::TT::Ascii;
# [% USE Ascii %]: text without accents, for mail to old devices.
use strict;
use warnings;
use parent 'Template::Plugin::Filter';
use Unicode::Normalize ();

sub init {
    my $self = shift;
    $self->install_filter('ascii');
    return $self;
}

sub filter {
    my ($self, $text) = @_;
    $text = Unicode::Normalize::NFD($text);
    $text =~ s/\pM//g;
    return $text;
}
1;
