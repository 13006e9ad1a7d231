package Workshop::View::HTML;
use Moose;
use namespace::autoclean;
use Workshop;
extends 'Catalyst::View::TT';

__PACKAGE__->config(
    TEMPLATE_EXTENSION => '.tt',
    INCLUDE_PATH => [Workshop->path_to('root', 'templates')],
    WRAPPER => 'lib/wrapper.tt',
    ENCODING => 'utf-8',
    COMPILE_DIR => '/var/cache/workshop/templates',
    COMPILE_EXT => '.ttc',
    render_die => 1,
    expose_methods => [qw(words day)],
    FILTERS => {
        markdown => sub { require Text::Markdown; Text::Markdown::markdown(shift) },
        plain => [sub { my ($context, $width) = @_; sub { require Text::Wrap; local $Text::Wrap::columns = $width || 40; Text::Wrap::wrap('', '  ', shift) } }, 1],
    },
);

sub words {
    my ($self, $c, @words) = @_;
    return $c->loc(@words);
}

# A day in the language of the reader.
sub day {
    my ($self, $c, $day, $format) = @_;
    require DateTime::Locale;
    my $locale = eval { DateTime::Locale->load($c->locale) } || DateTime::Locale->load('en');
    my $copy = $day->clone->set_locale($locale);
    my $method = ($format || 'full') eq 'full' ? 'date_format_full' : 'date_format_medium';
    return $copy->format_cldr($locale->$method);
}

__PACKAGE__->meta->make_immutable(inline_constructor => 0);
1;
