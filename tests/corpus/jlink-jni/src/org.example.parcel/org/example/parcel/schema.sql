create table label (id integer primary key, code text not null unique, receiver text not null, place text not null,
  country text not null check (length(country) = 2), grams integer not null check (grams > 0), contents text not null,
  value integer not null, posted text not null);
insert into label values
  (1, '4012345000016', 'Jürgen Groß', '04109 Leipzig', 'DE', 1250, 'Bücher', 3950, '2024-03-28');
insert into label values
  (2, '4012345000023', 'Ελένη Παπαδάκη', 'Θεσσαλονίκη', 'GR', 480, 'καφές', 1820, '2024-04-02');
insert into label values
  (3, '4012345000030', '山田 太郎', '京都市', 'JP', 2100, '磁器', 12800, '2024-05-17');
insert into label values
  (4, '4012345000047', 'Zoë O''Brien & Sons', 'Malmö', 'SE', 31000, 'iron <stove>', 45000, '2024-10-27');
create virtual table place using fts5(name);
insert into place select place from label;
