module.exports = (wares) => wares.map((ware, row) => row + ',' + ware).join('\n');
