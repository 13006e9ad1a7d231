'use strict';
// One reader for each form of an upload, loaded when the first file of that form comes.
module.exports = async (form, text) => {
  switch (form) {
    case 'yaml':
      return require('js-yaml').load(text);
    case 'xml':
      return require('xml2js').parseStringPromise(text);
    case 'markdown':
      return require('sanitize-html')(require('marked').parse(text));
    default:
      return JSON.parse(text);
  }
};
