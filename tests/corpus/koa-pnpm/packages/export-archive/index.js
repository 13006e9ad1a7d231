// Several forms in one file: a tape by default, a ZIP on demand.
import archiver from 'archiver';

export const type = 'application/octet-stream';

export async function write(walk, speaker, { kind = 'tar' } = {}) {
  const archive = archiver(kind, kind === 'zip' ? { zlib: { level: 9 } } : {});
  const chunks = [];
  archive.on('data', (chunk) => chunks.push(chunk));
  const ended = new Promise((resolve, reject) => archive.on('end', resolve).on('error', reject));
  for (const form of ['csv', 'gpx']) {
    const { write: part } = await import(`@trail/export-${form}`);
    archive.append(await part(walk, speaker), { name: `${walk.slug}.${form}`, date: new Date(Date.UTC(2024, 0, 1)), mode: 0o644 });
  }
  await archive.finalize();
  await ended;
  return Buffer.concat(chunks);
}
