'use strict';
const path = require('path');
const fs = require('fs');
const express = require('express');
const compression = require('compression');
const session = require('express-session');
const i18n = require('i18n');
const logger = require('./lib/logger');

i18n.configure({
  locales: ['en', 'de', 'ja'],
  directory: path.join(__dirname, 'locales'),
  updateFiles: false,
  queryParameter: 'lang',
});

const app = express();
app.set('view engine', 'pug');
app.set('views', path.join(__dirname, 'views'));
app.engine('ejs', require('ejs').renderFile);
app.use(compression());
app.use(i18n.init);
app.use(session({ secret: 'keyboard cat', resave: false, saveUninitialized: false }));
app.use(express.static('public'));
for (const file of fs.readdirSync(path.join(__dirname, 'routes'))) {
  app.use('/' + path.basename(file, '.js').replace('index', ''), require('./routes/' + file));
}
app.use((request, response) => response.status(404).render('missing', { path: request.path }));
app.use((error, request, response, next) => {
  logger.error(error.message);
  if (request.accepts(['html', 'json']) === 'json') {
    return response.status(error.status || 500).json({ error: error.message });
  }
  response.status(error.status || 500).render('error', { message: error.message });
});

const server = app.listen(3000, () => logger.info('listening'));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
