package Workshop::View::Mail;
use Moose;
use namespace::autoclean;
extends 'Catalyst::View::Email::Template';
__PACKAGE__->config(template_prefix => 'email');
1;
