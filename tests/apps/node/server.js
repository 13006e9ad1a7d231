'use strict';
const http = require('http');
const fs = require('fs');
const path = require('path');
const { execFileSync } = require('child_process');

const inOrder = (lines) => execFileSync('sort', { input: lines.join('\n') + '\n' }).toString();
const wares = inOrder(['tongs', 'anvil', 'hammer']).trim().split('\n');

const routes = {
  '/': () => `The smithy sells ${wares.join(', ')}.\n`,
  '/prices': () => JSON.stringify(require('#prices').list(wares)),
  '/guide': async () => (await import('./lib/guide.mjs')).render(),
  '/settings': () => JSON.stringify(require('js-yaml').load(fs.readFileSync(path.join(__dirname, 'settings.yaml'), 'utf8'))),
  '/version': () => String(require('semver').satisfies(require('./package.json').version, '^1.0.0')),
  '/user': () => {
    const { username, homedir, shell } = require('os').userInfo();
    return JSON.stringify({ username, homedir, shell });
  },
  '/charset': () => new TextDecoder('shift_jis').decode(Buffer.from('93fa967b', 'hex')),
  '/money': () => new Intl.NumberFormat('de-DE', { style: 'currency', currency: 'EUR' }).format(1234.5),
  '/trust': () => {
    const bundle = fs.readFileSync('/etc/ssl/certs/ca-certificates.crt', 'utf8');
    return `${require('tls').rootCertificates.length > 0} ${bundle.split('BEGIN CERTIFICATE').length - 1}`;
  },
  '/packed': () => {
    const zlib = require('zlib');
    const text = Buffer.from('iron '.repeat(1000));
    return String(zlib.brotliDecompressSync(zlib.brotliCompressSync(text)).length + zlib.gunzipSync(zlib.gzipSync(text)).length);
  },
  '/digest': () => {
    const crypto = require('crypto');
    return crypto.scryptSync('iron', 'salt', 16).toString('hex') + crypto.createHash('md5').update('iron').digest('hex');
  },
  '/worker': () => new Promise((done, fail) => {
    const { Worker } = require('worker_threads');
    const worker = new Worker(path.join(__dirname, 'lib', 'worker.js'), { workerData: 20 });
    worker.on('message', (value) => done(String(value)));
    worker.on('error', fail);
  }),
  '/page': () => fs.readFileSync(path.join(__dirname, 'views', 'page.html'), 'utf8').replace('{{wares}}', wares.length),
  '/sorted': () => inOrder(['zinc', 'copper', 'iron']),
  '/terms.html': () => fs.readFileSync(path.join(__dirname, 'public', 'terms.html')),
  '/broken': () => { throw new Error('broken'); },
};

async function answer(url) {
  const plugin = /^\/export\/([a-z]+)$/.exec(url);
  if (plugin) return require(`./plugins/${plugin[1]}`)(wares);
  const zone = /^\/zones\/(.+)$/.exec(url);
  if (zone) return new Date(0).toLocaleString('en-GB', { timeZone: zone[1] });
  if (routes[url]) return routes[url]();
  return null;
}

http.createServer(async (request, response) => {
  try {
    const body = await answer(request.url);
    if (body === null) {
      response.statusCode = 404;
      response.end(fs.readFileSync(path.join(__dirname, 'views', '404.html')));
    } else {
      response.end(body);
    }
  } catch (error) {
    console.error(error);
    response.statusCode = 500;
    response.end(fs.readFileSync(path.join(__dirname, 'views', '500.html')));
  }
}).listen(8080);
process.on('SIGTERM', () => process.exit(0));
