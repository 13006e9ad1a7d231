'use strict';

const path = require('path');
const express = require('express');
const items = require('./lib/items');

const app = express();
app.set('view engine', 'ejs');
app.set('views', path.join(__dirname, 'views'));
app.disable('x-powered-by');

app.use('/static', express.static(path.join(__dirname, 'public')));

app.get('/', (request, response) => {
  response.render('index', { title: 'Inventory', items: items.all() });
});

app.get('/about', (request, response) => {
  response.render('about', { title: 'About' });
});

app.get('/api/status', (request, response) => {
  response.json({ status: 'ok', items: items.all().length });
});

app.get('/api/items/:id', (request, response) => {
  const item = items.byId(request.params.id);
  if (item) response.json(item);
  else response.status(404).json({ error: 'no such item' });
});

// Loaded when first asked for: nothing before that touches lib/guide.js, marked or docs/guide.md.
app.get('/guide', (request, response, next) => {
  require('./lib/guide')
    .html()
    .then((html) => response.type('html').send(html))
    .catch(next);
});

app.get('/time/:area/:city', (request, response) => {
  const timeZone = `${request.params.area}/${request.params.city}`;
  try {
    const epoch = new Date(0).toLocaleString('en-GB', { timeZone, timeZoneName: 'short' });
    response.json({ timeZone, epoch });
  } catch (error) {
    response.status(400).json({ error: error.message });
  }
});

app.use((request, response) => {
  response.status(404).render('404', { title: 'Not found', path: request.path });
});

const server = app.listen(Number(process.env.PORT || 3000), () => {
  console.log(`listening on ${server.address().port}`);
});

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}
