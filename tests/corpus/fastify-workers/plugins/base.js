import fp from 'fastify-plugin';
import { Eta } from 'eta';

export default fp(async (app) => {
  await app.register(import('@fastify/cookie'));
  await app.register(import('@fastify/formbody'));
  await app.register(import('@fastify/multipart'));
  await app.register(import('@fastify/sensible'));
  await app.register(import('@fastify/websocket'));
  await app.register(import('@fastify/cors'), { origin: /example\.org$/ });
  await app.register(import('@fastify/jwt'), { secret: 'shop' });
  await app.register(import('@fastify/swagger'), { openapi: { info: { title: 'shop', version: '1' } } });
  await app.register(import('@fastify/static'), { root: new URL('../public', import.meta.url).pathname, prefix: '/static/' });
  await app.register(import('@fastify/view'), { engine: { eta: new Eta() }, root: new URL('../views', import.meta.url).pathname, viewExt: 'eta' });
});
