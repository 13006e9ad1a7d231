// Starts the web server, the live channel and the line protocol.
import { createServer } from 'node:http';
import pino from 'pino';
import { makeApp } from './app.js';
import { context } from './context.js';
import { listenLines } from './lines.js';
import { attachLive } from './live.js';

const log = pino({ level: process.env.LOG_LEVEL ?? 'info' }, pino.transport({ target: 'pino/file', options: { destination: 1 } }));
const shared = await context();
const app = await makeApp(shared, log);
const server = createServer(app.callback());
attachLive(server, shared);
server.listen(Number(process.env.PORT ?? 3000), () => log.info('listening'));
const lines = listenLines(shared, Number(process.env.LINE_PORT ?? 3001));

process.on('SIGHUP', async () => {
  await shared.reload();
  log.info('reloaded');
});
process.on('SIGUSR2', async () => {
  const { backup } = await import('./jobs/backup.js');
  log.info(await backup(shared.store), 'saved');
});
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    lines.close();
    server.close();
    setTimeout(() => process.exit(0), 200);
  });
}
