package Shelf;
use Dancer2;
use utf8;
use feature "state";
use Module::Load ();
use Shelf::Schema;

hook before_template_render => sub {
    my $tokens = shift;
    $tokens->{words} = words(query_parameters->get('lang') // (request->header('Accept-Language') // 'en') =~ s/[-,;].*//r);
};

sub books { Shelf::Schema->here->resultset('Book') }

sub words {
    my $lang = shift;
    state %all;
    $lang = 'en' unless $lang =~ /^[a-z]{2}$/ && -f path(config->{appdir}, 'locale', "$lang.po");
    return $all{$lang} //= do {
        require Locale::Maketext::Lexicon;
        open my $in, '<:encoding(UTF-8)', path(config->{appdir}, 'locale', "$lang.po") or die $!;
        Locale::Maketext::Lexicon::Gettext->can('parse') || Module::Load::load('Locale::Maketext::Lexicon::Gettext');
        Locale::Maketext::Lexicon::Gettext->parse(<$in>);
    };
}

get '/' => sub { template index => { books => [books->search({}, { order_by => 'id' })] } };

get '/book/:id' => sub {
    my $book = books->find(route_parameters->get('id')) or pass;
    template book => { book => $book, printed => $book->printed };
};

get '/book/:id/printed/:lang' => sub {
    my $book = books->find(route_parameters->get('id')) or pass;
    require DateTime::Locale;
    my $locale = eval { DateTime::Locale->load(route_parameters->get('lang')) } or send_error('no such locale', 404);
    my $day = $book->printed->set_locale($locale);
    content_type 'text/plain';
    return join "\n", $day->format_cldr($locale->date_format_full), $day->set_time_zone('America/Lima')->strftime('%c %Z'), $day->week_number;
};

post '/books' => sub {
    my $title = body_parameters->get('title');
    if (!length($title // '')) {
        status 422;
        return template form => { problem => 1 };
    }
    my $book = books->create({ title => $title, price => body_parameters->get('price') || undef });
    redirect '/book/' . $book->id;
};

get '/form' => sub { template 'form' };

get '/export/:format' => sub {
    my $class = 'Shelf::Format::' . uc route_parameters->get('format');
    eval { Module::Load::load($class); 1 } or send_error("no format", 404);
    content_type $class->type;
    return $class->write(map { { $_->get_columns } } books->search({}, { order_by => 'id' })->all);
};

post '/upload' => sub {
    my $upload = upload('file') or send_error('nothing', 400);
    content_type 'text/plain';
    return join ' ', $upload->filename, $upload->size, $upload->type, length $upload->content;
};

post '/markdown' => sub {
    require Text::Markdown;
    return Text::Markdown::markdown(request->body);
};

get '/count' => sub {
    session count => (session('count') // 0) + 1;
    content_type 'text/plain';
    return session('count');
};

get '/cookie' => sub {
    cookie taste => 'sweet', expires => '1 hour', http_only => 1;
    return cookies->{taste} ? cookies->{taste}->value : 'none';
};

get '/zone/*/*' => sub {
    my $name = join '/', splat;
    require DateTime;
    my $at = eval { DateTime->new(year => 2024, month => 7, day => 1, time_zone => $name) } or send_error('no such zone', 404);
    content_type 'text/plain';
    return $at->iso8601 . ' ' . $at->time_zone_short_name . ' ' . $at->offset;
};

get '/encode/:name' => sub {
    require Encode;
    my $encoding = Encode::find_encoding(route_parameters->get('name')) or send_error('no such encoding', 404);
    content_type 'text/plain';
    return $encoding->name . ' ' . unpack 'H*', $encoding->encode('aß茶');
};

get '/digest' => sub {
    require Digest::SHA;
    require MIME::Base64;
    require Math::BigInt;
    require Storable;
    content_type 'text/plain';
    return join "\n", Digest::SHA::sha512_base64('tea'), MIME::Base64::encode('tea', ''), Math::BigInt->new(2)->bpow(100), Storable::thaw(Storable::freeze([7]))->[0], "\N{GREEK SMALL LETTER ALPHA}" =~ /\p{Greek}/ ? 'Greek' : '', lc "ÄÖ";
};

get '/stream' => sub {
    delayed {
        content 'one ';
        content 'two';
        done;
    };
};

get '/file' => sub { send_file 'leaf.svg', content_type => 'image/svg+xml' };
get '/fail' => sub { die "it was to fail\n" };
get '/halt' => sub { halt template('form') };

any qr{.*} => sub {
    status 404;
    template missing => { path => request->path };
};
1;
