import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import zlib from 'node:zlib';

const kinds = { br: 'createBrotliCompress', deflate: 'createDeflateRaw', gzip: 'createGzip' };

export default async function pack({ kind = 'br' }, { store }) {
  if (!kinds[kind]) return { error: `no ${kind}` };
  const chunks = [];
  await pipeline(Readable.from(store.walks().map((walk) => walk.notes)), zlib[kinds[kind]](), async (source) => {
    for await (const chunk of source) chunks.push(chunk);
  });
  return { hex: Buffer.concat(chunks).toString('hex') };
}
