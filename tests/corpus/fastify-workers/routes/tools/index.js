import { Worker } from 'node:worker_threads';
import { createRequire } from 'node:module';

export default async function (app) {
  app.get('/pool/:name/:n', async (request) => {
    const { name, n } = request.params;
    const pool = await app.pool();
    return { value: await pool.run(Number(n), { name }) };
  });
  app.get('/thread/:kind', (request, reply) => {
    const worker = new Worker(new URL(`../../workers/${request.params.kind.replace(/\W/g, '')}.worker.js`, import.meta.url), { workerData: { words: ['b', 'a'] } });
    worker.once('message', (value) => reply.send({ value }));
    worker.once('error', (error) => reply.code(500).send({ error: error.code ?? error.message }));
  });
  app.get('/zone/*', async (request) => {
    const { DateTime } = await import('luxon');
    const day = DateTime.fromISO('2024-07-01T12:00Z').setZone(request.params['*']);
    return { day: day.setLocale(request.query.lang ?? 'en').toLocaleString(DateTime.DATETIME_HUGE), valid: day.isValid };
  });
  app.get('/pdf', async () => {
    const { PDFDocument, StandardFonts } = await import('pdf-lib');
    const document = await PDFDocument.create();
    const font = await document.embedFont(StandardFonts.TimesRomanItalic);
    document.addPage([100, 100]).drawText('Shop', { font, size: 9 });
    const bytes = await document.save();
    return { start: Buffer.from(bytes.slice(0, 8)).toString('latin1'), pages: (await PDFDocument.load(bytes)).getPageCount(), width: font.widthOfTextAtSize('Shop', 9) };
  });
  app.get('/template', (request, reply) => {
    const handlebars = createRequire(import.meta.url)('handlebars');
    reply.type('text/html').send(handlebars.compile('{{#each words}}<b>{{this}}</b>{{/each}}')({ words: ['<a>', 'b'] }));
  });
  app.get('/token', async (request) => {
    const token = await app.jwt.sign({ name: 'alice', iat: 0 });
    return { token, back: app.jwt.verify(token).name };
  });
  app.get('/private', { onRequest: (request) => request.jwtVerify() }, () => 'private');
  app.get('/description', () => app.swagger());
  app.get('/teapot', (request, reply) => reply.imateapot());
  app.get('/compress/:kind', async (request) => {
    const zlib = await import('node:zlib');
    const packed = { br: zlib.brotliCompressSync, gzip: zlib.gzipSync }[request.params.kind](Buffer.alloc(1000));
    return { size: packed.length };
  });
  app.get('/resolve/:name', async (request) => {
    const dns = await import('node:dns/promises');
    return dns.lookup(request.params.name).then(({ address }) => ({ address }), (error) => ({ code: error.code }));
  });
}
