package Workshop::Schema::Result::UserRole;
use strict;
use warnings;
use parent 'DBIx::Class::Core';
__PACKAGE__->table('user_role');
__PACKAGE__->add_columns(
    user_id => { data_type => 'integer', is_foreign_key => 1 },
    role_id => { data_type => 'integer', is_foreign_key => 1 },
);
__PACKAGE__->set_primary_key(qw(user_id role_id));
__PACKAGE__->belongs_to(user => 'Workshop::Schema::Result::User', 'user_id');
__PACKAGE__->belongs_to(role => 'Workshop::Schema::Result::Role', 'role_id');
1;
