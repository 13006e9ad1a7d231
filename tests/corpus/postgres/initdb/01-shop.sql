create database shop;
\connect shop
create table book (id serial primary key, title text not null, notes text, added timestamptz default '2024-01-01 12:00+00');
insert into book (title, notes) values ('Emma', 'A novel of manners'), ('Nana', 'Part of a cycle'), ('Ulysses', 'One day in Dublin');
create extension pg_trgm;
