CREATE TABLE domain (name TEXT PRIMARY KEY, language TEXT NOT NULL DEFAULT 'en');
CREATE TABLE mailbox (
    local TEXT NOT NULL,
    domain TEXT NOT NULL REFERENCES domain (name),
    password TEXT NOT NULL,
    full_name TEXT NOT NULL,
    active INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (local, domain)
);
CREATE TABLE alias (address TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY (address, target));
INSERT INTO domain VALUES ('example.org', 'en'), ('example.net', 'de'), ('xn--bcher-kva.example', 'de'), ('bücher.example', 'de');
INSERT INTO mailbox VALUES
    ('anna', 'example.org', 'apple-Tree-1', 'Anna Miller', 1),
    ('carl', 'example.org', 'carrot-Cake-3', 'Carl Smith', 1),
    ('gone', 'example.org', 'none', 'Gone', 0),
    ('ben', 'example.net', 'banana-Boat-2', 'Ben Huber', 1),
    ('lager', 'bücher.example', 'buch-Laden-4', 'Lager', 1),
    ('büro', 'example.org', 'buero-5', 'Büro', 1);
INSERT INTO alias VALUES
    ('team@example.org', 'anna@example.org'),
    ('team@example.org', 'carl@example.org'),
    ('team@example.org', 'ben@example.net'),
    ('postmaster@example.org', 'postmaster@localhost'),
    ('support@example.org', 'support@localhost'),
    ('staff@example.org', 'staff@localhost'),
    ('minutes@example.org', 'minutes@localhost'),
    ('broken@example.org', 'broken@localhost'),
    ('guide@example.org', 'guide@localhost'),
    ('holiday@example.org', 'carl+holiday@away.example.org'),
    ('former@example.org', 'chief@closed.example.net'),
    ('branch@example.org', 'desk@branch.example.net');
