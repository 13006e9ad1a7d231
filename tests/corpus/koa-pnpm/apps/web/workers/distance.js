// The way between points on the globe, with shared memory for the sums.
import { parentPort, workerData } from 'node:worker_threads';

const rad = (degrees) => (degrees * Math.PI) / 180;
const sums = new Float64Array(new SharedArrayBuffer(16));
const { points } = workerData;
for (let at = 1; at < points.length; at += 1) {
  const [a, b] = [points[at - 1], points[at]];
  const h = Math.sin(rad(b.lat - a.lat) / 2) ** 2 + Math.cos(rad(a.lat)) * Math.cos(rad(b.lat)) * Math.sin(rad(b.lon - a.lon) / 2) ** 2;
  sums[0] += 12742 * Math.asin(Math.sqrt(h));
  sums[1] += Math.max(0, b.height - a.height);
}
parentPort.postMessage({ climb: sums[1], km: Number(sums[0].toFixed(3)) });
