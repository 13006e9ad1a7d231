import { readFile } from 'node:fs/promises';

const items = [];

export default async function (app) {
  const schema = JSON.parse(await readFile(new URL('../../schemas/item.json', import.meta.url)));
  app.get('/', { schema: { response: { 200: { type: 'array', items: schema } } } }, () => items);
  app.post('/', { schema: { body: schema } }, async (request, reply) => {
    items.push({ ...request.body, secret: 'not shown' });
    return reply.code(201).send(request.body);
  });
  app.get('/csv', async (request, reply) => {
    const { stringify } = await import('csv-stringify/sync');
    return reply.type('text/csv').send(stringify(items.map(({ name, count }) => [name, count])));
  });
  app.post('/upload', async (request) => {
    const file = await request.file();
    const bytes = await file.toBuffer();
    const { createHash } = await import('node:crypto');
    return { name: file.filename, size: bytes.length, sha: createHash('sha3-256').update(bytes).digest('hex') };
  });
}
