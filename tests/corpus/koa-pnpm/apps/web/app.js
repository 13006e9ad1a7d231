// The application: middleware first, then a router from each file of routes/.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import Router from '@koa/router';
import Koa from 'koa';
import { koaBody } from 'koa-body';
import compress from 'koa-compress';
import conditional from 'koa-conditional-get';
import etag from 'koa-etag';
import session from 'koa-session';
import serve from 'koa-static';
import { here } from './context.js';

export async function makeApp(shared, log) {
  const app = new Koa({ keys: [process.env.SESSION_KEY ?? 'a key for one machine'], proxy: true });
  app.context.shared = shared;
  app.context.log = log;
  app.on('error', (error) => log.error({ error: error.message }, 'request failed'));

  app.use(conditional());
  app.use(etag());
  app.use(compress({ threshold: 512 }));
  app.use(session({ key: 'trail', signed: true, maxAge: 3_600_000 }, app));
  app.use(async (ctx, next) => {
    const asked = ctx.query.lang ?? ctx.session.lang ?? (ctx.acceptsLanguages(shared.languages) || 'en');
    ctx.state.lang = shared.languages.includes(asked) ? asked : 'en';
    ctx.state.speaker = await shared.speaker(ctx.state.lang);
    ctx.render = (view, values = {}) => {
      const { t } = ctx.state.speaker;
      return shared.views.render(view, { ...values, banner: shared.settings.banner, lang: ctx.state.lang, speaker: ctx.state.speaker, t });
    };
    await next();
  });
  app.use(async (ctx, next) => {
    try {
      await next();
      if (ctx.status === 404 && ctx.body == null) ctx.throw(404);
    } catch (error) {
      const status = [404, 415, 422].includes(error.status) ? error.status : error.status && error.status < 500 ? 422 : 500;
      if (status === 500) app.emit('error', error, ctx);
      ctx.state.speaker = await shared.speaker(ctx.state.lang, ['errors']);
      ctx.status = error.status && error.status < 500 ? error.status : status;
      const message = ctx.state.speaker.t(`errors:e${status}`);
      if (ctx.accepts('html', 'json') === 'json') ctx.body = { error: message, details: error.details };
      else ctx.body = ctx.render('error.njk', { details: error.details, message, status: ctx.status });
    }
  });
  app.use(serve(join(here, 'public'), { maxage: 60_000 }));
  app.use(koaBody({ formLimit: '100kb', jsonLimit: '100kb', multipart: true, formidable: { maxFileSize: 4 << 20 }, text: true, textLimit: '100kb' }));

  for (const name of (await readdir(join(here, 'routes'))).sort()) {
    const { default: routes } = await import(`./routes/${name}`);
    const router = new Router();
    routes(router, shared);
    app.use(router.routes()).use(router.allowedMethods());
  }
  return app;
}
