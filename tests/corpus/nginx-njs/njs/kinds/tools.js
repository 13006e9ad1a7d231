import crypto from 'crypto';
import fs from 'fs';
import qs from 'querystring';

function hash(args) {
    return ['md5', 'sha1', 'sha256'].map((name) => crypto.createHash(name).update(args.text || 'tea').digest('hex')).join('\n');
}

function file(args) {
    return fs.readFileSync('/usr/share/nginx/html/' + (args.name || 'plain.txt'), 'utf8').length + ' ' + fs.readdirSync('/usr/share/nginx/html').sort().join(' ');
}

function base(args) {
    return Buffer.from(args.text || 'tea', 'utf8').toString('base64') + ' ' + qs.stringify({ a: ['1', 'ü'] });
}

function date(args) {
    return new Date(1700000000000).toISOString() + ' ' + new Date(Date.UTC(2024, 1, 29)).getDay();
}

function typed() {
    return new Float64Array([1.5, 2]).map((x) => x * 2).join() + ' ' + 'straße'.toUpperCase() + ' ' + [3, 1, 2].sort().join('') + ' ' + 'a-b-c'.replace(/-/g, '+') + ' ' + (0.1 + 0.2);
}

function fail() {
    return JSON.parse('{');
}

export default { hash, file, base, date, typed, fail };
