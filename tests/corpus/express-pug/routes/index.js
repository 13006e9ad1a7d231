'use strict';
const router = require('express').Router();

router.get('/', (request, response) => response.render('index', { title: response.__('Welcome') }));
router.get('/date/:locale', (request, response) => {
  const dayjs = require('dayjs');
  for (const plugin of ['utc', 'timezone', 'relativeTime', 'localizedFormat']) dayjs.extend(require(`dayjs/plugin/${plugin}`));
  const { locale } = request.params;
  if (!/^[a-z-]+$/.test(locale)) return response.sendStatus(400);
  require(`dayjs/locale/${locale}`);
  const day = dayjs.utc('2024-07-01T12:00:00Z').tz('Australia/Adelaide').locale(locale);
  response.type('text').send(`${day.format('LLLL')} ${day.from(dayjs.utc('2024-06-01T12:00:00Z'))}`);
});
router.get('/intl/:locale', (request, response) => {
  const { locale } = request.params;
  response.type('text').send([
    new Intl.NumberFormat(locale, { style: 'currency', currency: 'JPY' }).format(1234567.8),
    new Intl.DateTimeFormat(locale, { dateStyle: 'full', timeZone: 'Asia/Tokyo' }).format(0),
    new Intl.RelativeTimeFormat(locale).format(-3, 'week'),
    ['z', 'ä', 'a'].sort(new Intl.Collator(locale).compare).join(''),
  ].join('\n'));
});
router.get('/letter/:name', (request, response) => response.render('mail/letter.ejs', { name: request.params.name }));
router.get('/fail', () => {
  throw new Error('it broke');
});

module.exports = router;
