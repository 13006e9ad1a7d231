// The interface for programs. Schemas are compiled, and their messages translated, when first needed.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { here } from '../context.js';

const require = createRequire(import.meta.url);
let check;

async function validator() {
  if (!check) {
    const { default: Ajv } = await import('ajv/dist/2020.js');
    const { default: formats } = await import('ajv-formats');
    const ajv = new (Ajv.default ?? Ajv)({ allErrors: true, coerceTypes: true, useDefaults: true });
    (formats.default ?? formats)(ajv);
    check = ajv.compile(JSON.parse(await readFile(join(here, 'walk.schema.json'), 'utf8')));
  }
  return check;
}

export default function api(router, shared) {
  router.get('/api/walks', async (ctx) => {
    ctx.body = shared.store.walks().map(({ id, notes, ...walk }) => walk);
  });

  router.post('/api/walks', async (ctx) => {
    const valid = await validator();
    const walk = ctx.request.body;
    if (!valid(walk)) {
      require(`ajv-i18n/localize/${ctx.state.lang}`)(valid.errors);
      ctx.throw(422, 'walk', { details: valid.errors.map((error) => `${error.instancePath} ${error.message}`) });
    }
    try {
      await shared.store.add(walk);
    } catch (error) {
      ctx.throw(409, 'walk', { details: [error.message] });
    }
    ctx.status = 201;
    ctx.body = shared.store.walk(walk.slug);
  });

  router.delete('/api/walks/:slug', async (ctx) => {
    if (!(await shared.store.remove(ctx.params.slug))) ctx.throw(404);
    ctx.status = 204;
  });

  router.get('/walks/:slug/export/:form', async (ctx) => {
    const walk = shared.store.walk(ctx.params.slug);
    const exporter = walk && (await shared.exporter(ctx.params.form));
    if (!exporter) return ctx.throw(404);
    ctx.body = await exporter.write(walk, ctx.state.speaker, ctx.query);
    ctx.type = exporter.type;
    ctx.attachment(`${walk.slug}.${ctx.params.form}`);
  });

  router.post('/import/xlsx', async (ctx) => {
    const file = ctx.request.files?.book;
    if (!file) return ctx.throw(415);
    const { read } = await shared.exporter('xlsx');
    ctx.body = await read(await readFile(file.filepath));
  });

  router.post('/preview', async (ctx) => {
    const { render } = await import('@trail/markup');
    ctx.body = await render(String(ctx.request.body), { clean: ctx.query.clean === '1' });
  });

  router.post('/mail/:slug', async (ctx) => {
    const walk = shared.store.walk(ctx.params.slug);
    if (!walk) return ctx.throw(404);
    const { default: nodemailer } = await import('nodemailer');
    const speaker = await shared.speaker(ctx.state.lang, ['mail']);
    const values = { ...walk, date: speaker.date(new Date(walk.starts)), name: ctx.request.body.name ?? '?' };
    const text = ctx.render('mail/walk.njk', { mail: (key) => speaker.t(`mail:${key}`, values) });
    const calendar = await (await shared.exporter('ics')).write(walk, speaker);
    const transport = nodemailer.createTransport({ streamTransport: true, buffer: true, newline: 'unix' });
    const sent = await transport.sendMail({
      attachments: [{ content: calendar, contentType: 'text/calendar', filename: `${walk.slug}.ics` }],
      date: new Date(Date.UTC(2024, 0, 1)),
      from: 'trail@example.org',
      messageId: '<1@example.org>',
      subject: speaker.t('mail:subject', values),
      text,
      to: ctx.request.body.to,
    });
    ctx.type = 'text/plain';
    ctx.body = sent.message;
  });
}
