'use strict';

const fs = require('fs');
const path = require('path');

const items = JSON.parse(fs.readFileSync(path.join(__dirname, 'items.json'), 'utf8'));

exports.all = () => items;
exports.byId = (id) => items.find((item) => item.id === id);
