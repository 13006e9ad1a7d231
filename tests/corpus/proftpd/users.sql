create table users (name text primary key, word text, uid integer, gid integer, home text, shell text);
insert into users values ('bob', 'guest', 2000, 2000, '/srv/files/bob', '/bin/false');
create table groups (name text, gid integer, members text);
insert into groups values ('files', 2000, 'bob');
