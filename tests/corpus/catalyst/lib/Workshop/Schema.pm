package Workshop::Schema;
use strict;
use warnings;
use parent 'DBIx::Class::Schema';
our $VERSION = 3;
__PACKAGE__->load_namespaces(default_resultset_class => 'ResultSet');
1;
