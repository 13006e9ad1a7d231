// The store: SQLite in WebAssembly, its file written as a whole after each change.
import { readFile, readdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import initSqlJs from 'sql.js';

const here = dirname(fileURLToPath(import.meta.url));

export class Store {
  #db;
  #file;

  static async open(file) {
    const store = new Store();
    const SQL = await initSqlJs();
    const bytes = await readFile(file).catch((error) => {
      if (error.code !== 'ENOENT') throw error;
      return null;
    });
    store.#file = file;
    store.#db = new SQL.Database(bytes);
    store.#functions();
    await store.#migrate();
    if (!bytes) await store.#seed();
    return store;
  }

  // An export closes the database, and functions go with it.
  #functions() {
    this.#db.create_function('fold', (text) =>
      text == null ? null : String(text).normalize('NFD').replace(/\p{M}/gu, '').toLowerCase());
    this.#db.create_function('pace', (km, climb) => Math.round((km / 4 + climb / 400) * 60));
    this.#db.run('pragma foreign_keys = on');
  }

  async #migrate() {
    const [[{ values: [[version]] }]] = [this.#db.exec('pragma user_version')];
    const names = (await readdir(join(here, 'sql'))).sort();
    for (const name of names) {
      const number = parseInt(name, 10);
      if (number <= version) continue;
      this.#db.exec(await readFile(join(here, 'sql', name), 'utf8'));
      this.#db.run(`pragma user_version = ${number}`);
    }
  }

  async #seed() {
    const { parse } = await import('yaml');
    for (const name of (await readdir(join(here, 'seed'))).sort()) {
      for (const walk of parse(await readFile(join(here, 'seed', name), 'utf8'))) this.#insert(walk);
    }
    await this.save();
  }

  #insert(walk) {
    this.#db.run(
      'insert into walk(slug, title, region, km, climb, starts, zone, notes) values (?, ?, ?, ?, ?, ?, ?, ?)',
      [walk.slug, walk.title, walk.region, walk.km, walk.climb, walk.starts, walk.zone, walk.notes ?? '']);
    for (const [place, [lat, lon, height, name]] of (walk.points ?? []).entries()) {
      this.#db.run('insert into point(walk, place, lat, lon, height, name) values (?, ?, ?, ?, ?, ?)',
        [walk.slug, place, lat, lon, height, name ?? null]);
    }
  }

  rows(sql, values = []) {
    const statement = this.#db.prepare(sql);
    try {
      statement.bind(values);
      const rows = [];
      while (statement.step()) rows.push(statement.getAsObject());
      return rows;
    } finally {
      statement.free();
    }
  }

  walks() {
    return this.rows('select *, pace(km, climb) minutes from walk order by slug');
  }

  walk(slug) {
    const [walk] = this.rows('select *, pace(km, climb) minutes from walk where slug = ?', [slug]);
    if (!walk) return null;
    walk.points = this.rows('select lat, lon, height, name from point where walk = ? order by place', [slug]);
    return walk;
  }

  search(text) {
    return this.rows(
      `select walk.slug, walk.title, snippet(words, '[', ']', '…', -1, 12) snippet from words
       join walk on walk.id = words.docid where words match ? order by walk.slug`, [text]);
  }

  regions() {
    return this.rows(
      `select region, count(*) walks, round(sum(km), 1) km, json_group_array(slug) slugs,
       max(climb) over_all from walk group by region order by fold(region)`);
  }

  async add(walk) {
    this.#db.run('begin');
    try {
      this.#insert(walk);
      this.#db.run('commit');
    } catch (error) {
      this.#db.run('rollback');
      throw error;
    }
    await this.save();
  }

  async remove(slug) {
    this.#db.run('delete from walk where slug = ?', [slug]);
    const removed = this.#db.getRowsModified();
    await this.save();
    return removed;
  }

  async save(file = this.#file) {
    const bytes = this.#db.export();
    this.#functions();
    await writeFile(`${file}.new`, bytes);
    await rename(`${file}.new`, file);
    return bytes.length;
  }
}
