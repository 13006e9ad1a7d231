'use strict';

const fs = require('fs/promises');
const path = require('path');
const { marked } = require('marked');

exports.html = async () => {
  const text = await fs.readFile(path.join(__dirname, '..', 'docs', 'guide.md'), 'utf8');
  return marked.parse(text);
};
