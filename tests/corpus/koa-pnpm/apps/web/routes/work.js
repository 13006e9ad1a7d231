// Work beside the request: modules of tools/ by name, threads of workers/, processes of jobs/.
import { fork } from 'node:child_process';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { here } from '../context.js';

const exists = (folder, name) => access(join(here, folder, `${name}.js`)).then(() => true, () => false);

function answer(child) {
  return new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`ended with ${code}`)));
  });
}

export default function work(router, shared) {
  router.get('/tools/:name', async (ctx) => {
    if (!/^[a-z]+$/.test(ctx.params.name) || !(await exists('tools', ctx.params.name))) return ctx.throw(404);
    const { default: tool } = await import(`../tools/${ctx.params.name}.js`);
    ctx.body = await tool(ctx.query, shared);
  });

  router.get('/threads/:name', async (ctx) => {
    if (!/^[a-z]+$/.test(ctx.params.name) || !(await exists('workers', ctx.params.name))) return ctx.throw(404);
    const worker = new Worker(join(here, 'workers', `${ctx.params.name}.js`), {
      resourceLimits: { maxOldGenerationSizeMb: 64 },
      workerData: { points: shared.store.rows('select lat, lon, height from point order by walk, place'), query: { ...ctx.query } },
    });
    try {
      ctx.body = await answer(worker);
    } finally {
      await worker.terminate();
    }
  });

  router.get('/jobs/:name', async (ctx) => {
    if (!/^[a-z]+$/.test(ctx.params.name) || !(await exists('jobs', ctx.params.name))) return ctx.throw(404);
    const child = fork(join(here, 'jobs', `${ctx.params.name}.js`), ['--child'], { serialization: 'advanced' });
    child.send({ query: { ...ctx.query }, walks: shared.store.walks() });
    ctx.body = await answer(child);
    child.kill();
  });

  router.get('/health', async (ctx) => {
    ctx.body = { generation: shared.generation, walks: shared.store.walks().length };
  });
}
