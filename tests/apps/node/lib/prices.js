const table = require('./table.json');
exports.list = (wares) => wares.map((ware) => [ware, table[ware]]);
