export default async function (app) {
  app.get('/', (request, reply) => reply.view('index', { title: 'Shop' }));
  app.get('/live', { websocket: true }, (socket) => {
    (socket.socket ?? socket).on('message', (text) => (socket.socket ?? socket).send(`said ${text}`));
  });
}
