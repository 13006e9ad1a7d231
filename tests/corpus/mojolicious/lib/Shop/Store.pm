package Shop::Store;
use Mojo::Base -base, -signatures;
use DBI;

sub new ($class, $file) {
    my $dbh = DBI->connect("dbi:SQLite:dbname=$file", '', '', {RaiseError => 1, sqlite_unicode => 1});
    $dbh->do('create table if not exists item (id integer primary key, name text, n int)');
    return $class->SUPER::new(dbh => $dbh);
}

sub all ($self) { $self->{dbh}->selectall_arrayref('select id, name, n from item order by id') }

sub add ($self, $name, $n) {
    $self->{dbh}->do('insert into item (name, n) values (?, ?)', undef, $name, $n);
    return $self->{dbh}->last_insert_id('', '', '', '');
}

1;
