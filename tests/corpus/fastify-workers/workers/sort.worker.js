import { parentPort, workerData } from 'node:worker_threads';
import { sorted } from './helper.js';

parentPort.postMessage(sorted(workerData.words));
