create table walk (
  id integer primary key,
  slug text not null unique,
  title text not null,
  region text not null,
  km real not null check (km > 0),
  climb integer not null default 0,
  starts text not null,
  zone text not null,
  notes text not null default ''
);
create table point (
  walk text not null references walk(slug) on delete cascade,
  place integer not null,
  lat real not null,
  lon real not null,
  height integer not null,
  name text,
  primary key (walk, place)
) without rowid;
