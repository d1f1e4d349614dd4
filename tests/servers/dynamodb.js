'use strict';
/*
 * A DynamoDB for tests, as long as a command runs: dynalite, in memory, in this process.
 *
 *   node dynamodb.js [--verify] [--faults PERMILLE [--for SECONDS]] [--seed N] -- COMMAND [ARG...]
 *       `{url}` in an argument stands for the server's URL.  Ends as COMMAND does.
 *       --verify   requests must be signed by the keys in `keys`
 *       --faults   of so many requests in a thousand something goes wrong (`faults`); --for: so long
 *   node dynamodb.js --tell cut|restart
 *       from within COMMAND: the server is gone, with all its connections; or back, with all its data
 *
 * dynalite is looked for where script/lib/setup.sh puts it.
 */
const http = require('node:http');
const path = require('node:path');
const { spawn } = require('node:child_process');

const ROOT = path.join(__dirname, '../..');
const CONTROL = 'DYNAMODB_TEST_CONTROL'; // where --tell finds the server: a variable for COMMAND
const PREFIX = 'com.amazonaws.dynamodb.v20120810#';

/** What the tests sign with; one secret of each kind of characters that an encoder gets wrong. */
const keys = {
  AKIATEST: { secret: 'secret/+with=all' },
  ASIATEST: { secret: 'another/+secret', token: 'token//++==' },
};

// ---- what goes wrong ---------------------------------------------------------------------------------

const refuse = (status, code, headers = {}) => ({ response }) => {
  const body = JSON.stringify({ __type: PREFIX + code, message: `${code} of the test` });
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0', ...headers });
  response.end(body);
};
const reset = ({ request }) => request.socket.resetAndDestroy();

/** What dynalite is asked for, without half of a batch; that half; and the way to tell of it. */
function halve(operation, body) {
  const asked = JSON.parse(body);
  const [table] = Object.keys(asked.RequestItems);
  const reads = operation === 'BatchGetItem';
  const list = reads ? asked.RequestItems[table].Keys : asked.RequestItems[table];
  const left = list.splice(Math.ceil(list.length / 2));
  if (left.length === 0) return null;
  const told = { [table]: reads ? { ...asked.RequestItems[table], Keys: left } : left };
  const tell = (answer) => JSON.stringify({ ...JSON.parse(answer), [reads ? 'UnprocessedKeys' : 'UnprocessedItems']: told });
  return { body: JSON.stringify(asked), tell };
}

/** Each gets {request, response, operation, body, random, ask}; ask(body) resolves to dynalite's answer. */
const faults = {
  throttled: refuse(400, 'ProvisionedThroughputExceededException'),
  tooMany: refuse(429, 'ThrottlingException', { 'retry-after': '0' }),
  internal: refuse(500, 'InternalServerError'),
  unavailable: refuse(503, 'ServiceUnavailable'),
  expired: refuse(400, 'ExpiredTokenException'),
  reset,
  async lostReply(it) {
    await it.ask(it.body);
    reset(it);
  },
  async truncated(it) {
    const answer = await it.ask(it.body);
    it.response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length + 10 });
    it.response.write(answer.body, () => it.request.socket.destroy());
  },
  async dripped(it) {
    const answer = await it.ask(it.body);
    it.response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length });
    for (let at = 0; at < answer.body.length; at += 1 + (answer.body.length >> 3)) {
      it.response.write(answer.body.subarray(at, at + 1 + (answer.body.length >> 3)));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    it.response.end();
  },
  async damaged(it) {
    const answer = await it.ask(it.body);
    if (answer.body.length > 0) answer.body[it.random(answer.body.length)] ^= 1 << it.random(8);
    it.response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length });
    it.response.end(answer.body);
  },
  page({ response }) {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end('<html>The network wants you to log in.</html>');
  },
  silent() {}, // until the deadline of whoever asked
  async unprocessed(it) {
    const half = /^Batch/.test(it.operation) && halve(it.operation, it.body);
    if (!half) return faults.throttled(it);
    const answer = await it.ask(half.body);
    const body = answer.status === 200 ? half.tell(answer.body) : answer.body;
    delete answer.headers['x-amz-crc32'];
    it.response.writeHead(answer.status, { ...answer.headers, 'content-length': Buffer.byteLength(body) });
    return it.response.end(body);
  },
};

/** splitmix32, so that --seed makes the same choices for the same requests. */
function randomness(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) % below;
  };
}

// ---- the server -----------------------------------------------------------------------------------------

async function read(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

function listen(server, port = 0) {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    http.Server.prototype.listen.call(server, port, '127.0.0.1', () => resolve(server.address().port));
  });
}

const agent = new http.Agent({ keepAlive: true });

/** One request to dynalite, as it came but for its body. */
function ask(port, { method, headers }, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ agent, port, host: '127.0.0.1', method,
      headers: { ...headers, 'content-length': Buffer.byteLength(body) } }, async (answer) => {
      try {
        const { connection, 'keep-alive': _, 'transfer-encoding': __, ...rest } = answer.headers;
        resolve({ status: answer.statusCode, headers: rest, body: await read(answer) });
      } catch (error) {
        reject(error);
      }
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** Between the command and dynalite; counts what it does in `told`. */
function front({ port, permille, seconds, random, verify, told }) {
  const names = Object.keys(faults);
  const until = performance.now() + seconds * 1000;
  return http.createServer(async (request, response) => {
    try {
      const body = await read(request);
      const operation = String(request.headers['x-amz-target']).split('.')[1];
      const verdict = verify ? verify(request, body, (id) => keys[id], Date.now()) : { status: 200 };
      told.requests++;
      if (verdict.status !== 200) {
        told.badSignatures++;
        const [, code] = /<Code>(.*?)<\/Code>/.exec(verdict.body);
        refuse(400, code)({ response });
        return;
      }
      const it = { request, response, operation, body, random, ask: (changed) => ask(port, request, changed) };
      // What makes the table is not what is tried.
      if (random(1000) < permille && performance.now() < until && !/Table|TimeToLive/.test(operation)) {
        const name = names[random(names.length)];
        told[name] = (told[name] || 0) + 1;
        await faults[name](it);
        return;
      }
      const answer = await it.ask(body);
      response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length });
      response.end(answer.body);
    } catch {
      request.socket.destroy(); // whoever asked has gone, or the server is cut
    }
  });
}

/** {url, cut, restart}: `cut` leaves the data. */
async function start({ permille, seconds, seed, verified, told }) {
  const dynalite = require(path.join(process.env.SCRIPT_BUILD_DIR || path.join(ROOT, 'build'),
    'tools/dynalite/node_modules/dynalite'));
  const store = dynalite({ createTableMs: 20, updateTableMs: 0, deleteTableMs: 0 });
  let shown = store;
  if (permille > 0 || verified) {
    const verify = verified && require('../../drivers/aws/test/verify').verify;
    shown = front({ port: await listen(store), permille, seconds, random: randomness(seed), verify, told });
  }
  const port = await listen(shown);
  const cut = () => new Promise((resolve) => {
    http.Server.prototype.close.call(shown, resolve); // dynalite's own close() drops the data
    shown.closeAllConnections();
  });
  const restart = async () => {
    if (shown.listening) await cut();
    await listen(shown, port);
  };
  return { url: `http://127.0.0.1:${port}`, cut, restart };
}

/** Does what --tell asks for, and answers when it is done. */
async function control(server) {
  const tasks = { '/cut': server.cut, '/restart': server.restart };
  const port = await listen(http.createServer(async (request, response) => {
    const task = tasks[request.url];
    try {
      await task();
      response.end();
    } catch (error) {
      response.writeHead(500);
      response.end(String(error));
    }
  }));
  return `http://127.0.0.1:${port}`;
}

async function tell(what) {
  const response = await fetch(`${process.env[CONTROL]}/${what}`);
  if (!response.ok) throw new Error(await response.text());
}

// ---- the command line --------------------------------------------------------------------------------------

function options(words) {
  const given = { permille: 0, seconds: Infinity, seed: 1, verified: false, command: [] };
  for (let i = 0; i < words.length; i++) {
    if (words[i] === '--') given.command = words.slice(i + 1);
    if (words[i] === '--') break;
    if (words[i] === '--verify') given.verified = true;
    else if (words[i] === '--faults') given.permille = Number(words[++i]);
    else if (words[i] === '--for') given.seconds = Number(words[++i]);
    else if (words[i] === '--seed') given.seed = Number(words[++i]);
    else throw new Error(`what is ${words[i]}?`);
  }
  if (given.command.length === 0) throw new Error('there is no command; see the head of this file');
  return given;
}

async function main(words) {
  if (words[0] === '--tell') {
    await tell(words[1]);
    return 0;
  }
  const given = options(words);
  const told = { requests: 0, badSignatures: 0 };
  const server = await start({ ...given, told });
  const [program, ...args] = given.command.map((word) => word.replaceAll('{url}', server.url));
  const env = { ...process.env, [CONTROL]: await control(server) };
  const child = spawn(program, args, { stdio: 'inherit', env });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  const status = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? (signal ? 128 : 1)));
  });
  if (given.permille > 0 || given.verified) console.log(`server: ${JSON.stringify(told)}`);
  return status !== 0 || told.badSignatures > 0 ? status || 1 : 0;
}

main(process.argv.slice(2)).then((status) => process.exit(status), (error) => {
  console.error(`dynamodb.js: ${error.message}`);
  process.exit(2);
});
