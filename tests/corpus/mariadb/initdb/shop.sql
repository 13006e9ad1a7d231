create database shop character set utf8mb4;
use shop;
create table book (id int auto_increment primary key, title varchar(100), notes text, fulltext(notes));
insert into book (title, notes) values ('Emma', 'A novel of manners'), ('Nana', 'Part of a cycle'), ('Ulysses', 'One day in Dublin');
