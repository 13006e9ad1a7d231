import { parentPort } from 'node:worker_threads';

const { promisify } = await import('node:util');
const { scrypt } = await import('node:crypto');
const counter = new Int32Array(new SharedArrayBuffer(4));
Atomics.add(counter, 0, 5);
parentPort.postMessage([counter[0], (await promisify(scrypt)('a', 'b', 8)).toString('hex')]);
