// A shaded tile, made in a thread by the picture library.
import { parentPort, workerData } from 'node:worker_threads';
import sharp from 'sharp';

const { points, query } = workerData;
const side = 24;
const pixels = Buffer.alloc(side * side);
points.forEach((point, at) => pixels.fill(point.height % 251, at * side, (at + 2) * side));
const { data, info } = await sharp(pixels, { raw: { width: side, height: side, channels: 1 } })
  .resize(12, 12, { kernel: 'lanczos3' })
  .toFormat(query.form ?? 'tiff')
  .toBuffer({ resolveWithObject: true });
parentPort.postMessage({ base64: data.toString('base64'), format: info.format, size: info.size });
