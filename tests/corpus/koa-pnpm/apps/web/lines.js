// A line protocol for the hut's old terminal.
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

export function listenLines(shared, port) {
  const server = createServer((socket) => {
    let language = 'en';
    socket.on('error', () => {});
    socket.write(`200 ${shared.settings.title}\r\n`);
    const lines = createInterface({ input: socket });
    (async () => {
      for await (const line of lines) await obey(line);
    })().catch(() => socket.destroy());
    async function obey(line) {
      const [word, ...rest] = line.trim().split(/\s+/);
      try {
        switch (word.toUpperCase()) {
          case 'LIST':
            for (const walk of shared.store.walks()) socket.write(`211 ${walk.slug} ${walk.title}\r\n`);
            socket.write('210 end\r\n');
            break;
          case 'LANG':
            [language] = rest;
            socket.write(`220 ${(await shared.speaker(language)).t('title')}\r\n`);
            break;
          case 'SHOW': {
            const walk = shared.store.walk(rest[0]);
            if (!walk) throw new Error('no such walk');
            const speaker = await shared.speaker(language);
            socket.write(`230 ${speaker.t('takes')}: ${speaker.span(walk.minutes)}\r\n`);
            socket.write(`230 ${speaker.t('starts')}: ${speaker.date(new Date(walk.starts))}\r\n`);
            break;
          }
          case 'FETCH': {
            const walk = shared.store.walk(rest[0]);
            const exporter = await shared.exporter(rest[1]);
            if (!walk || !exporter) throw new Error('nothing to fetch');
            const body = Buffer.from(await exporter.write(walk, await shared.speaker(language)));
            socket.write(`240 ${body.length}\r\n`);
            socket.write(body);
            break;
          }
          case 'QUIT':
            socket.end('299 bye\r\n');
            break;
          default:
            socket.write('500 what?\r\n');
        }
      } catch (error) {
        socket.write(`550 ${error.message}\r\n`);
      }
    }
  });
  return server.listen(port);
}
