import { fileURLToPath } from 'node:url';
import { dirname, join } from 'node:path';
import Fastify from 'fastify';
import autoload from '@fastify/autoload';

const here = dirname(fileURLToPath(import.meta.url));
const app = Fastify({ logger: { level: 'warn' }, ajv: { customOptions: { allErrors: true, coerceTypes: true } } });
app.register(autoload, { dir: join(here, 'plugins') });
app.register(autoload, { dir: join(here, 'routes'), options: { prefix: '/' } });
app.setNotFoundHandler((request, reply) => reply.code(404).view('missing', { url: request.url }));
process.on('SIGTERM', () => app.close());
await app.listen({ host: '0.0.0.0', port: 3000 });
