use strict;
use warnings;
use Plack::Builder;
use Workshop;

my $app = Workshop->apply_default_middlewares(Workshop->psgi_app);
builder {
    enable 'ReverseProxy';
    enable_if { ($_[0]{PATH_INFO} // '') =~ /\.(?:css|csv|svg)$|^\/api/ } 'Deflater', content_type => [qw(text/css text/csv application/json)];
    mount '/manual' => builder {
        enable 'ConditionalGET';
        Plack::Util::load_class('Plack::App::Directory');
        Plack::App::Directory->new(root => Workshop->path_to('root', 'manual')->stringify)->to_app;
    };
    mount '/health' => sub { [200, ['Content-Type' => 'text/plain'], ["ok\n"]] };
    mount '/' => $app;
};
