'use strict';
const { fork } = require('child_process');
const path = require('path');
const express = require('express');
const multer = require('multer');
const formats = require('../lib/formats');

const router = express.Router();
const things = new Map();

router.get('/things', (request, response) => response.json([...things.values()]));
router.post('/things', express.json(), (request, response) => {
  const validator = require('validator');
  const { mail, card } = request.body;
  if (!validator.isEmail(mail || '') || !validator.isCreditCard(card || '')) return response.status(422).json({ error: request.__('Not valid') });
  things.set(mail, { mail: validator.normalizeEmail(mail) });
  response.status(201).json(things.get(mail));
});
router.post('/read/:form', express.text({ type: '*/*' }), (request, response, next) => {
  formats(request.params.form, request.body).then((value) => response.json({ value }), next);
});
router.post('/upload', multer({ storage: multer.diskStorage({}) }).single('file'), (request, response) => {
  response.json({ name: request.file.originalname, size: request.file.size, type: request.file.mimetype });
});
router.post('/form', express.urlencoded({ extended: true }), (request, response) => response.json(request.body));
router.get('/sum/:n', (request, response, next) => {
  const child = fork(path.join(__dirname, '..', 'lib', 'sum.js'));
  child.on('message', (value) => response.json({ value })).on('error', next);
  child.send(Number(request.params.n));
});
router.get('/count', (request, response) => {
  request.session.n = (request.session.n || 0) + 1;
  response.json({ n: request.session.n });
});

module.exports = router;
