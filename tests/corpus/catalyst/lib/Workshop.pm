package Workshop;
# The application: plug-ins, configuration, languages.
use Moose;
use namespace::autoclean;
use Catalyst::Runtime 5.90;
use Catalyst qw(
    ConfigLoader
    Static::Simple
    I18N
    Authentication
    Authorization::Roles
    Session
    Session::Store::File
    Session::State::Cookie
);
use Data::Dumper ();
use YAML::Syck ();

extends 'Catalyst';
our $VERSION = '2.3';

$Data::Dumper::Sortkeys = 1;
$YAML::Syck::SortKeys = 1;
$YAML::Syck::ImplicitUnicode = 1;

__PACKAGE__->config(
    name => 'Workshop',
    disable_component_resolution_regex_fallback => 1,
    enable_catalyst_header => 0,
    'Plugin::I18N' => { maketext_options => { Style => 'gettext', Decode => 1 } },
    'Plugin::Static::Simple' => {
        dirs => ['static'],
        ignore_extensions => [qw(tt yml)],
        expires => 3600,
        no_logs => 1,
    },
    'Plugin::Authentication' => {
        default_realm => 'staff',
        staff => {
            credential => { class => 'Password', password_field => 'password', password_type => 'self_check' },
            store => { class => 'DBIx::Class', user_model => 'DB::User', role_relation => 'roles', role_field => 'name' },
        },
    },
    'Controller::HTML::FormFu' => { languages_from_context => 1, localize_from_context => 1, config_file_path => __PACKAGE__->path_to('root', 'forms')->stringify },
);

__PACKAGE__->setup;

# The first language that both sides know.
sub locale {
    my $c = shift;
    my ($language) = grep { /^[a-z]{2}(?:[-_]\w+)?$/i } @{ $c->languages };
    return $language // 'en';
}

__PACKAGE__->meta->make_immutable(replace_constructor => 1);
1;
