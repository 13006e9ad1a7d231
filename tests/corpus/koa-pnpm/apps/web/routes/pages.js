// Pages for readers.
export default function pages(router, shared) {
  router.get('/', async (ctx) => {
    ctx.body = ctx.render('index.njk', { walks: shared.store.walks() });
  });

  router.get('/walks/:slug', async (ctx) => {
    const walk = shared.store.walk(ctx.params.slug);
    if (!walk) return ctx.throw(404);
    const { render } = await import('@trail/markup');
    const { html } = await render(walk.notes);
    ctx.body = ctx.render('walk.njk', { forms: shared.settings.forms, html, kind: walk.climb > 1000 ? 'steep' : 'easy', walk });
  });

  router.get('/regions', async (ctx) => {
    ctx.body = ctx.render('regions.njk', { regions: shared.store.regions() });
  });

  router.get('/search', async (ctx) => {
    let found = [];
    if (ctx.query.q) {
      try {
        found = shared.store.search(ctx.query.q);
      } catch (error) {
        ctx.throw(422, 'query', { details: [error.message] });
      }
    }
    ctx.body = ctx.render('search.njk', { found, query: ctx.query.q ?? '' });
  });

  router.get('/calendar', async (ctx) => {
    const { DateTime } = await import('luxon');
    const zones = ctx.query.zone ? [ctx.query.zone] : shared.settings.zones;
    const rows = shared.store.walks().map((walk) => {
      const start = DateTime.fromISO(walk.starts, { zone: walk.zone });
      return {
        title: walk.title,
        times: zones.map((zone) => {
          const there = start.setZone(zone);
          if (!there.isValid) ctx.throw(422, 'zone', { details: [there.invalidExplanation] });
          return there.setLocale(ctx.state.lang).toLocaleString(DateTime.DATETIME_HUGE);
        }),
        week: start.toFormat("kkkk-'W'WW"),
      };
    });
    ctx.body = ctx.render('calendar.njk', { rows, zones });
  });

  router.get('/sitemap.xml', async (ctx) => {
    ctx.type = 'application/xml';
    ctx.body = ctx.render('sitemap.xml.njk', { languages: shared.languages, walks: shared.store.walks() });
  });

  router.get('/language/:lang', async (ctx) => {
    ctx.session.lang = ctx.params.lang;
    ctx.redirect('/');
  });
}
