import tools from 'kinds/tools.js';

function kind(r) {
    const match = /(?<name>tea|coffee)/i.exec(r.headersIn['X-Drink'] || '');
    return match ? match.groups.name.toLowerCase() : 'nothing';
}

function signed(r) {
    return require('crypto').createHmac('sha256', 'word').update(r.uri).digest('base64url');
}

function content(r) {
    r.headersOut['Content-Type'] = 'application/json';
    r.return(200, JSON.stringify({ method: r.method, args: r.args, body: r.requestText || null, version: njs.version.split('.').length }) + '\n');
}

function tool(r) {
    const name = r.uri.split('/').pop();
    if (!tools[name]) {
        r.return(404, 'no tool ' + name + '\n');
        return;
    }
    try {
        r.return(200, tools[name](r.args) + '\n');
    } catch (e) {
        r.return(400, e.constructor.name + '\n');
    }
}

async function fetch(r) {
    const answer = await ngx.fetch('http://127.0.0.1:8081/' + (r.args.path || 'plain'), { headers: { 'X-A': 'b' } });
    const text = await answer.text();
    r.return(answer.status, text.length + ' ' + answer.headers.get('content-type') + '\n');
}

async function sub(r) {
    const answers = await Promise.all([r.subrequest('/plain.txt'), r.subrequest('/nothing')]);
    r.return(200, answers.map((a) => a.status + ' ' + a.responseText.length).join(', ') + '\n');
}

function upper(r, data, flags) {
    r.sendBuffer(data.toUpperCase(), flags);
}

function header(r) {
    r.headersOut['X-Made'] = 'by a filter';
}

function allowed(r) {
    r.return(r.headersIn['X-Key'] === 'open' ? 204 : 403);
}

export default { kind, signed, content, tool, fetch, sub, upper, header, allowed };
