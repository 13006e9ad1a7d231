use strict;
use warnings;
use utf8;
use FindBin;
use IPC::Open2;
use HTTP::Daemon;
use HTTP::Response;

$SIG{TERM} = sub { exit 0 };

sub in_order {
    my $sort = open2(my $out, my $in, 'sort');
    print {$in} "$_\n" for @_;
    close $in;
    chomp(my @lines = <$out>);
    waitpid $sort, 0;
    return @lines;
}

sub content {
    open my $file, '<', "$FindBin::Bin/$_[0]" or die "$_[0]: $!";
    local $/;
    return scalar <$file>;
}

my @wares = in_order(qw(tongs anvil hammer));

my %routes = (
    '/'       => sub { 'The smithy sells ' . join(', ', @wares) . ".\n" },
    '/prices' => sub { require Smithy::Prices; Smithy::Prices->import('price'); join ' ', map { "$_=" . Smithy::Prices::price($_) } @wares },
    '/page'   => sub { my $page = content('templates/page.html'); $page =~ s/\{wares\}/@wares/; $page },
    '/terms'  => sub { content('public/terms.html') },
    '/settings' => sub { require YAML::Tiny; YAML::Tiny->read("$FindBin::Bin/settings.yml")->[0]{owner} },
    '/zones'  => sub {
        require DateTime;
        DateTime->from_epoch(epoch => 0, time_zone => 'Asia/Tokyo')->strftime('%F %H:%M %Z');
    },
    '/localtime' => sub {
        require POSIX;
        local $ENV{TZ} = 'America/New_York';
        POSIX::tzset();
        POSIX::strftime('%Y-%m-%d %H:%M %Z', localtime 0);
    },
    '/user'    => sub { join ' ', (getpwuid $<)[0], (getpwnam 'www-data')[7], scalar getgrnam 'staff' },
    '/charset' => sub { require Encode; unpack 'H*', Encode::encode('shiftjis', '日本') . Encode::encode('iso-8859-15', '€') },
    '/letters' => sub { require charnames; charnames::viacode(0x3a9) . ' ' . (lc "ΩÄ" eq 'ωä' ? 1 : 0) },
    '/trust'   => sub {
        open my $file, '<', '/etc/ssl/certs/ca-certificates.crt' or die $!;
        my $count = grep { /BEGIN CERTIFICATE/ } <$file>;
        ($count > 0) . " $count";
    },
    '/packed' => sub { require Compress::Zlib; length Compress::Zlib::memGunzip(Compress::Zlib::memGzip('iron ' x 1000)) },
    '/digest' => sub { require Digest::SHA; require MIME::Base64; Digest::SHA::sha512_hex('iron') . MIME::Base64::encode_base64('iron') },
    '/stock'  => sub {
        require DBI;
        my $base = DBI->connect('dbi:SQLite:dbname=:memory:', '', '', { RaiseError => 1 });
        $base->do('create table stock (name text)');
        $base->do('insert into stock values (?)', undef, $_) for @wares;
        join ',', @{ $base->selectcol_arrayref('select name from stock order by name desc') };
    },
    '/sums'   => sub { require Math::BigInt; require JSON::PP; JSON::PP->new->canonical->encode({ power => Math::BigInt->new(2)->bpow(100)->bstr }) },
    '/sorted' => sub { join ' ', in_order(qw(zinc copper iron)) },
    '/broken' => sub { die "broken\n" },
);

sub answer {
    my ($path) = @_;
    my ($name) = $path =~ m{^/export/([A-Z][a-z]+)$};
    if ($name) {
        require "Smithy/Export/$name.pm";
        return (200, "Smithy::Export::$name"->dump(@wares));
    }
    my $action = $routes{$path} or return (404, content('templates/404.html'));
    my $body = eval { $action->() };
    return (200, $body) if defined $body;
    print STDERR $@;
    return (500, content('templates/500.html'));
}

my $daemon = HTTP::Daemon->new(LocalAddr => '0.0.0.0', LocalPort => 8080, ReuseAddr => 1) or die "cannot listen: $!";
while (1) {
    my $client = $daemon->accept or next;
    while (my $request = $client->get_request) {
        my ($status, $body) = answer($request->uri->path);
        utf8::encode($body) if utf8::is_utf8($body);
        $client->send_response(HTTP::Response->new($status, undef, ['Content-Type' => 'text/html', 'Content-Length' => length $body], $body));
        $client->force_last_request;
    }
    $client->close;
}
