create virtual table words using fts4(title, region, notes, tokenize=unicode61);
create trigger walk_added after insert on walk begin
  insert into words(docid, title, region, notes) values (new.id, new.title, new.region, new.notes);
end;
create trigger walk_removed after delete on walk begin
  delete from words where docid = old.id;
end;
