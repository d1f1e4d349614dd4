'use strict';
/*
 * What the suites need of the world: tests that are counted, an origin whose data changes, and
 * servers that are started on free ports and ended by their process id.  Everything has an end.
 */
const http = require('node:http');
const net = require('node:net');
const zlib = require('node:zlib');
const { spawn } = require('node:child_process');
const assert = require('node:assert/strict');

const REQUEST_MS = 20_000;
const START_MS = 40_000;
const TEST_MS = 60_000;

const counts = { passed: 0, failed: 0 };
let prefix = '';
let only;

function group(name) {
  prefix = name;
}

function filter(text) {
  only = text && new RegExp(text);
}

/** One line a test; a failure is counted, said with its reason, and does not end the run. */
async function test(name, fn, limit = TEST_MS) {
  const title = `${prefix}: ${name}`;
  if (only && !only.test(title)) return;
  const begin = performance.now();
  const ms = () => `${Math.round(performance.now() - begin)} ms`;
  let timer;
  try {
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not done after ${limit} ms`)), limit);
    });
    await Promise.race([fn(), late]);
    counts.passed++;
    console.log(`ok      ${title} (${ms()})`);
  } catch (error) {
    counts.failed++;
    console.log(
      `FAILED  ${title} (${ms()})\n        ${String(error?.stack ?? error).replaceAll('\n', '\n        ')}`,
    );
  } finally {
    clearTimeout(timer);
  }
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Until fn() does not throw. */
async function eventually(fn, ms = 8000) {
  const end = performance.now() + ms;
  for (;;) {
    try {
      return await fn();
    } catch (error) {
      if (performance.now() > end) throw error;
      await sleep(100);
    }
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Where the pages' data comes from: a number for each key, which bump() raises. */
class Origin {
  constructor() {
    this.values = new Map();
    this.broken = new Set();
    this.asked = new Map();
    this.server = http.createServer((request, response) => {
      const key = decodeURIComponent(request.url.split('/').pop());
      this.asked.set(key, (this.asked.get(key) ?? 0) + 1);
      if (this.broken.has(key)) {
        response.statusCode = 500;
        response.end();
        return;
      }
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ n: this.values.get(key) ?? 0 }));
    });
  }
  async listen() {
    this.port = await freePort();
    await new Promise((resolve) => this.server.listen(this.port, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${this.port}`;
  }
  bump(key) {
    this.values.set(key, (this.values.get(key) ?? 0) + 1);
    return this.values.get(key);
  }
  close() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

/** Bounded; answers { code, output }. */
function run(command, args, options = {}) {
  const { timeout = 240_000, ...rest } = options;
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...rest });
    let output = '';
    const add = (chunk) => (output += chunk);
    child.stdout.on('data', add);
    child.stderr.on('data', add);
    const timer = setTimeout(() => child.kill('SIGKILL'), timeout);
    child.once('error', (error) => add(String(error)));
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, output });
    });
  });
}

const running = new Set();

class Server {
  /** @param {string} cwd @param {string[]} args  of node @param {Record<string, string>} env */
  constructor(cwd, args, env = {}) {
    Object.assign(this, { cwd, args, env, output: '' });
  }

  async start(ready = '/api/ready') {
    this.port = await freePort();
    const args = this.args.map((arg) => (arg === '{port}' ? String(this.port) : arg));
    this.child = spawn(process.execPath, args, {
      cwd: this.cwd,
      env: {
        ...process.env,
        NODE_ENV: undefined,
        NEXT_TELEMETRY_DISABLED: '1',
        ...this.env,
        PORT: String(this.port),
        HOSTNAME: '127.0.0.1',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(this.child);
    this.exited = new Promise((resolve) => {
      this.child.once('exit', (code, signal) => {
        running.delete(this.child);
        resolve({ code, signal });
      });
    });
    const add = (chunk) => (this.output += chunk);
    this.child.stdout.on('data', add);
    this.child.stderr.on('data', add);
    const end = performance.now() + START_MS;
    for (;;) {
      if (this.child.exitCode !== null) throw new Error(`the server ended:\n${this.output}`);
      try {
        const { status } = await this.get(ready);
        if (status) return this;
      } catch (error) {
        if (performance.now() > end) {
          await this.stop('SIGKILL');
          throw new Error(`the server does not answer: ${error.message}\n${this.output}`);
        }
      }
      await sleep(100);
    }
  }

  /** Not fetch(): it hides hop-by-hop details and keeps sockets that hold a server's end up. */
  get(path, headers = {}) {
    return new Promise((resolve, reject) => {
      const request = http.request(
        { host: '127.0.0.1', port: this.port, path, headers, agent: false, timeout: REQUEST_MS },
        (response) => {
          const chunks = [];
          response.on('data', (chunk) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const bytes = Buffer.concat(chunks);
            const body = bytes.toString('utf8');
            const field = (name) => body.match(new RegExp(`\\[${name}:([^\\]]*)\\]`))?.[1];
            resolve({
              status: response.statusCode,
              headers: response.headers,
              cache: response.headers['x-nextjs-cache'],
              bytes,
              body,
              field,
              n: Number(field('n')),
              serial: field('serial'),
            });
          });
        },
      );
      request.once('timeout', () =>
        request.destroy(new Error(`no answer to ${path} after ${REQUEST_MS} ms`)),
      );
      request.once('error', reject);
      request.end();
    });
  }

  async stop(signal = 'SIGTERM') {
    if (!this.child || this.child.exitCode !== null || this.child.signalCode !== null) return this.exited;
    this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 8000);
    const how = await this.exited;
    clearTimeout(timer);
    return how;
  }

  /** Lines of ours: outages, refusals. */
  complaints() {
    return this.output.split('\n').filter((line) => line.includes('larder:'));
  }
}

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A picture of size x size pixels, each of another colour: image optimisation refuses less. */
function png(size) {
  const crcTable = Array.from({ length: 256 }, (_, n) => {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
    return c >>> 0;
  });
  const crc = (bytes) => {
    let c = 0xffffffff;
    for (const b of bytes) c = crcTable[(c ^ b) & 255] ^ (c >>> 8);
    return (c ^ 0xffffffff) >>> 0;
  };
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const out = Buffer.alloc(body.length + 8);
    out.writeUInt32BE(data.length, 0);
    body.copy(out, 4);
    out.writeUInt32BE(crc(body), body.length + 4);
    return out;
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const rows = Buffer.alloc(size * (size * 3 + 1));
  for (let i = 0; i < rows.length; i++) rows[i] = i % (size * 3 + 1) === 0 ? 0 : (i * 7) & 255;
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', zlib.deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

const stats = async (server) => JSON.parse((await server.get('/api/stats')).body);

/*
 * What does() answers, once the server's own counts say that what follows from it is done: nothing is under way, and
 * assertDone(now, before, answer) does not throw.
 */
async function settled(server, does, assertDone) {
  const before = await stats(server);
  const answer = await does();
  if (before.puts === undefined) return answer; // the stand-in for the addon, which counts nothing
  await eventually(async () => {
    const now = await stats(server);
    assertDone(now, before, answer);
    assert.equal(now.inflight, 0, 'something is under way');
  });
  return answer;
}

/*
 * Next.js may answer a route handler before what it revalidates has reached the store
 * (docs/semantics.md, P1), so a 200 is not the end: the server's own count tells.
 */
async function revalidate(server, query) {
  const ask = async () => {
    const r = await server.get(`/api/revalidate?${query}`);
    assert.equal(r.status, 200, r.body);
  };
  await settled(server, ask, (now, before) => {
    assert.ok(now.revalidations > before.revalidations, 'the revalidation has not completed');
  });
}

/** "HIT", "STALE", "MISS"; 16 says REVALIDATED where an expired entry was rendered anew. */
const missed = (r) => r.cache === 'MISS' || r.cache === 'REVALIDATED';

/** What it answers, once n more entries are stored: Next.js answers before its renderings are. */
function storing(server, n, does) {
  return settled(server, does, (now, before) => {
    assert.ok(now.puts >= before.puts + n, `${now.puts - before.puts} entries of ${n} are stored`);
  });
}

/** What it answers, once all that was rendered for it is stored: no entry more in a tenth of a second. */
function stored(server, url, headers) {
  let last;
  return settled(server, () => server.get(url, headers), (now, before, answer) => {
    const quiet = now.puts === last;
    last = now.puts;
    assert.ok(quiet && (now.puts > before.puts || !missed(answer)), `${url}: ${now.puts - before.puts} entries`);
  });
}

module.exports = {
  missed,
  revalidate,
  storing,
  stored,
  test,
  group,
  filter,
  counts,
  sleep,
  eventually,
  freePort,
  Origin,
  Server,
  run,
  png,
  assert,
};
