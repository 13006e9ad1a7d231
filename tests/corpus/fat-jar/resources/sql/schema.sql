create table item (id int auto_increment primary key, name varchar(40) not null, price decimal(12, 2), stock boolean, picked timestamp(0));
insert into item (name, price, stock, picked) values ('Oolong', 12.50, true, timestamp '2024-02-29 10:00:00'), ('Sencha', 9.00, false, timestamp '2023-12-31 23:30:00'), ('Größe Ü', 1234567.89, true, null);
