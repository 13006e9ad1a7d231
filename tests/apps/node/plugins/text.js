const { inspect } = require('util'); module.exports = (wares) => inspect(wares);
