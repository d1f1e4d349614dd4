'use strict';
// What the tests talk to: a web server with bad manners, one that verifies signatures, the places
// where credentials come from, and a proxy.  Certificates are made in FOLDER.
//   node server.js FOLDER               prints where each listens, then "ready"; ends when its input does
//   node server.js FOLDER COMMAND...    runs the command, `@` in it being the web server, and ends as it does

const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const fs = require('node:fs');
const path = require('node:path');
const crypto = require('node:crypto');
const { execFileSync, spawn } = require('node:child_process');
const { verify } = require('./verify');
const credentials = require('./credentials');

const [folder, ...command] = process.argv.slice(2);
const objects = new Map();
const stats = { connections: 0, requests: 0, proxied: 0, elsewhere: 0 };

function pattern(n) {
  const bytes = Buffer.alloc(n);
  for (let i = 0; i < n; i++) bytes[i] = (i * 7 + (i >> 8)) & 255;
  return bytes;
}

const read = async (request) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts);
};

// Each by the first part of its path; `n` is the number behind it.
const manners = {
  echo(request, response, n, body) {
    const { method, url, headers } = request;
    const hash = crypto.createHash('sha256').update(body).digest('hex');
    response.end(JSON.stringify({ method, url, length: body.length, hash, headers: JSON.stringify(headers) }));
  },
  bytes(request, response, n) {
    response.setHeader('content-length', n);
    response.end(pattern(n));
  },
  chunked(request, response, n) {
    const bytes = pattern(n);
    for (let i = 0; i < n; i += 5000) response.write(bytes.subarray(i, i + 5000));
    response.end();
  },
  status(request, response, n) {
    response.statusCode = n;
    response.setHeader('x-what', 'this');
    response.end(n === 204 ? undefined : `{"__type":"a#ThrottlingException","message":"no ${n}"}`);
  },
  hang() {},
  cut(request, response, n) {
    response.setHeader('content-length', 2 * n);
    response.write(pattern(n), () => request.socket.destroy());
  },
  continue(request, response) {
    request.socket.write('HTTP/1.1 100 Continue\r\nx-early: 1\r\n\r\n');
    response.end('after');
  },
  // The answer says "keep-alive", and then the connection is gone: the next request meets a dead one.
  leave(request, response) {
    response.end('bye');
    response.on('finish', () => setImmediate(() => request.socket.end()));
  },
  // Reads the second request of a connection, and hangs up instead of answering.
  stale(request, response) {
    request.socket.seen = (request.socket.seen || 0) + 1;
    if (request.socket.seen > 1) request.socket.destroy();
    else response.end('once');
  },
  stats(request, response) {
    response.end(JSON.stringify({ ...stats, ...credentials.stats() }));
  },
  set(request, response, n, body) {
    credentials.set(JSON.parse(body));
    response.end();
  },
  // Objects, as S3 keeps them, for those who sign.
  store(request, response, n, body) {
    const { method, url: key, headers } = request;
    const answer = verify(request, body, credentials.secretOf, Date.now());
    const known = objects.get(key);
    const fail = (status, code) => {
      response.statusCode = status;
      response.end(method === 'HEAD' ? undefined : `<Error><Code>${code}</Code></Error>`);
    };
    if (answer.status !== 200) return fail(answer.status, answer.body);
    if (method === 'PUT' && known && headers['if-none-match']) return fail(412, 'PreconditionFailed');
    if (method === 'GET' && !known) return fail(404, 'NoSuchKey');
    if (method === 'PUT') objects.set(key, { body, headers });
    if (method === 'DELETE') objects.delete(key);
    if (method === 'GET')
      for (const name of ['x-amz-meta-modified', 'x-amz-meta-epoch']) response.setHeader(name, known.headers[name]);
    return response.end(method === 'GET' ? known.body : undefined);
  },
  verify(request, response, n, body) {
    const answer = verify(request, body, credentials.secretOf, credentials.now());
    const region = credentials.region();
    if (region && answer.status === 200 && JSON.parse(answer.body).region !== region) {
      stats.elsewhere++;
      // As S3: by an element, or, where there is no body, by a header.
      response.statusCode = request.method === 'HEAD' ? 301 : 400;
      if (request.method === 'HEAD') response.setHeader('x-amz-bucket-region', region);
      response.end(request.method === 'HEAD' ? undefined
        : `<Error><Code>AuthorizationHeaderMalformed</Code><Region>${region}</Region></Error>`);
      return;
    }
    response.statusCode = answer.status;
    if (answer.date) response.setHeader('date', answer.date);
    response.end(answer.body);
  },
};

async function onRequest(request, response) {
  stats.requests++;
  const body = await read(request);
  const [, first, rest] = /^\/([a-z0-9]*)\/?([^?]*)/.exec(request.url) || [];
  if (credentials.serve(request, response, body)) return;
  // The verifier is behind every other path: keys of S3 begin as they like.
  (Object.hasOwn(manners, first) ? manners[first] : manners.verify)(request, response, Number(rest), body);
}

/** A forward proxy: CONNECT, and requests with a whole URL. */
function makeProxy() {
  const proxy = http.createServer((request, response) => {
    stats.proxied++;
    const to = new URL(request.url);
    request.pipe(http.request({ host: '127.0.0.1', port: to.port, path: to.pathname, method: request.method,
      headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    }));
  });
  proxy.on('connect', (request, socket) => {
    stats.proxied++;
    const up = net.connect(Number(request.url.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      up.pipe(socket).pipe(up);
    });
    for (const end of [up, socket]) end.on('error', () => { up.destroy(); socket.destroy(); });
  });
  return proxy;
}

/** An authority, and a certificate of it for "localhost" alone. */
function makeCertificates() {
  const at = (name) => path.join(folder, name);
  const openssl = (...args) => execFileSync('openssl', args, { stdio: 'ignore' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...key, '-keyout', at('ca.key'), '-out', at('ca.pem'), '-days', '2', '-subj', '/CN=Test CA');
  openssl('req', ...key, '-keyout', at('server.key'), '-out', at('server.csr'), '-subj', '/CN=localhost');
  fs.writeFileSync(at('ext'), 'subjectAltName=DNS:localhost\n');
  openssl('x509', '-req', '-in', at('server.csr'), '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial',
    '-out', at('server.pem'), '-days', '2', '-extfile', at('ext'));
  return { key: fs.readFileSync(at('server.key')), cert: fs.readFileSync(at('server.pem')) };
}

const servers = { http: http.createServer(onRequest), https: https.createServer(makeCertificates(), onRequest),
  proxy: makeProxy() };
function onReady() {
  if (command.length === 0) {
    for (const [name, server] of Object.entries(servers))
      process.stdout.write(`${name} 127.0.0.1:${server.address().port}\n`);
    process.stdout.write('ready\n');
    process.stdin.on('end', () => process.exit(0)).resume();
    return;
  }
  const [program, ...args] = command.map((word) => word.replace('@', `127.0.0.1:${servers.http.address().port}`));
  spawn(program, args, { stdio: 'inherit' }).on('exit', (code) => process.exit(code ?? 2));
}

let left = Object.keys(servers).length;
for (const [name, server] of Object.entries(servers)) {
  server.keepAliveTimeout = 0;
  server.on('connection', () => { stats.connections += name === 'proxy' ? 0 : 1; });
  server.on('clientError', (error, socket) => socket.destroy());
  server.listen(0, '127.0.0.1', () => {
    if (--left === 0) onReady();
  });
}
