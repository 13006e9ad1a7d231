package Workshop::View::Text;
# Bodies of mail.
use Moose;
use namespace::autoclean;
use Workshop;
extends 'Catalyst::View::TT';
__PACKAGE__->config(
    TEMPLATE_EXTENSION => '.tt',
    INCLUDE_PATH => [Workshop->path_to('root', 'templates')],
    ENCODING => 'utf-8',
    render_die => 1,
    PLUGIN_BASE => 'Workshop::TT',
);
__PACKAGE__->meta->make_immutable(inline_constructor => 0);
1;
