import fp from 'fastify-plugin';

export default fp(async (app) => {
  let pool;
  app.decorate('pool', async () => {
    const { Piscina } = await import('piscina');
    pool ??= new Piscina({ filename: new URL('../workers/numbers.js', import.meta.url).href, maxThreads: 2 });
    return pool;
  });
  app.addHook('onClose', async () => pool?.destroy());
});
