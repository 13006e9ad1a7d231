// Commands of the book's keeper.
import { text } from 'node:stream/consumers';
import { Command } from 'commander';
import { context } from './context.js';

const program = new Command('trail').description('Commands of the trail book');

program.command('report').option('--lang <lang>', 'language', 'en').action(async ({ lang }) => {
  const shared = await context();
  const speaker = await shared.speaker(lang);
  console.log(shared.views.render('report.txt.njk', { regions: shared.store.regions(), speaker, t: speaker.t, walks: shared.store.walks() }));
});

program.command('import').description('read walks as YAML from standard input').action(async () => {
  const { parseAllDocuments } = await import('yaml');
  const shared = await context();
  for (const document of parseAllDocuments(await text(process.stdin))) {
    if (document.errors.length) {
      console.log(document.errors[0].message.split('\n')[0]);
      process.exitCode = 2;
    } else await shared.store.add(document.toJS());
  }
  console.log(JSON.stringify(shared.store.regions()));
});

program.command('forms').argument('<slug>').action(async (slug) => {
  const shared = await context();
  const walk = shared.store.walk(slug);
  if (!walk) return program.error(`no walk ${slug}`, { exitCode: 3 });
  const speaker = await shared.speaker('de');
  for (const form of shared.settings.forms.filter((form) => form !== 'xlsx')) {
    const { createHash } = await import('node:crypto');
    const { type, write } = await shared.exporter(form);
    console.log(form, type, createHash('sha256').update(await write(walk, speaker)).digest('hex'));
  }
});

await program.parseAsync();
