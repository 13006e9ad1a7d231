// The live channel: WebSocket, with messages that name handlers.
import { WebSocketServer } from 'ws';

const handlers = {
  say: (text, { clients }) => {
    for (const client of clients) client.send(JSON.stringify({ said: text }));
  },
  render: async (text) => (await import('@trail/markup')).render(text),
  search: (text, { shared }) => shared.store.search(text),
  profile: async (slug, { shared }) => {
    const { default: sharp } = await import('sharp');
    const heights = shared.store.walk(slug).points.map((point) => point.height & 255);
    const row = await sharp(Buffer.from(heights), { raw: { width: heights.length, height: 1, channels: 1 } }).png().toBuffer();
    return row.toString('base64');
  },
};

export function attachLive(server, shared) {
  const sockets = new WebSocketServer({ path: '/live', perMessageDeflate: { threshold: 64 }, server });
  sockets.on('connection', (socket) => {
    socket.send(JSON.stringify({ hello: shared.settings.title }));
    socket.on('message', async (data) => {
      try {
        const { op, text } = JSON.parse(data);
        if (!Object.hasOwn(handlers, op)) throw new Error(`no ${op}`);
        const result = await handlers[op](text, { clients: sockets.clients, shared });
        if (result !== undefined) socket.send(JSON.stringify({ op, result }));
      } catch (error) {
        socket.send(JSON.stringify({ error: error.message }));
      }
    });
  });
  return sockets;
}
