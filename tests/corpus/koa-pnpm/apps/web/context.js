// What all parts share: the store, the settings, the templates, a speaker per language.
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import nunjucks from 'nunjucks';
import { parse } from 'yaml';
import { Store } from '@trail/store';
import { languages, reload as reloadWords, speaker } from '@trail/words';

export const here = dirname(fileURLToPath(import.meta.url));

function views() {
  const environment = new nunjucks.Environment(new nunjucks.FileSystemLoader(join(here, 'views')), { autoescape: true, trimBlocks: true });
  environment.addFilter('json', (value) => JSON.stringify(value));
  environment.addFilter('pad', (value, width) => String(value).padStart(width, ' '));
  return environment;
}

export async function context() {
  const shared = {
    generation: 1,
    languages,
    speaker,
    store: await Store.open(join(process.env.DATA_DIR ?? '.', 'trail.sqlite')),
    views: views(),
    async load() {
      this.settings = parse(await readFile(join(here, 'settings.yaml'), 'utf8'));
    },
    async reload() {
      await this.load();
      await reloadWords();
      this.views = views();
      this.generation += 1;
    },
    async exporter(form) {
      if (!this.settings.forms.includes(form)) return null;
      return import(`@trail/export-${form}`);
    },
  };
  await shared.load();
  return shared;
}
