package Workshop::Schema::Result::User;
use strict;
use warnings;
use parent 'DBIx::Class::Core';
__PACKAGE__->load_components(qw(EncodedColumn));
__PACKAGE__->table('user');
__PACKAGE__->add_columns(
    id => { data_type => 'integer', is_auto_increment => 1 },
    username => { data_type => 'varchar', size => 40 },
    password => {
        data_type => 'char',
        size => 138,
        encode_column => 1,
        encode_class => 'Digest',
        encode_args => { algorithm => 'SHA-512', format => 'hex', salt_length => 10 },
        encode_check_method => 'check_password',
    },
);
__PACKAGE__->set_primary_key('id');
__PACKAGE__->add_unique_constraint([qw(username)]);
__PACKAGE__->has_many(user_roles => 'Workshop::Schema::Result::UserRole', 'user_id');
__PACKAGE__->many_to_many(roles => 'user_roles', 'role');
1;
