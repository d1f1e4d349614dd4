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
const { listen, randomness, front, pass, control, tell, run, options, end } = require('./front');

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
const operationOf = (request) => String(request.headers['x-amz-target']).split('.')[1];

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

const own = {
  refuse: (status, code) => refuse(400, code),
  // What makes the table is not what is tried.
  spared: (request) => /Table|TimeToLive/.test(operationOf(request)),
  faults: {
    throttled: refuse(400, 'ProvisionedThroughputExceededException'),
    tooMany: refuse(429, 'ThrottlingException', { 'retry-after': '0' }),
    internal: refuse(500, 'InternalServerError'),
    unavailable: refuse(503, 'ServiceUnavailable'),
    expired: refuse(400, 'ExpiredTokenException'),
    async damaged(it) {
      const answer = await it.ask(it.body);
      if (answer.body.length > 0) answer.body[it.random(answer.body.length)] ^= 1 << it.random(8);
      pass(it, answer);
    },
    async unprocessed(it, all) {
      const operation = operationOf(it.request);
      const half = /^Batch/.test(operation) && halve(operation, it.body);
      if (!half) return all.throttled(it);
      const answer = await it.ask(half.body);
      const body = answer.status === 200 ? half.tell(answer.body) : answer.body;
      delete answer.headers['x-amz-crc32'];
      it.response.writeHead(answer.status, { ...answer.headers, 'content-length': Buffer.byteLength(body) });
      return it.response.end(body);
    },
  },
};

// ---- the server -----------------------------------------------------------------------------------------

/** {url, cut, restart}: `cut` leaves the data. */
async function start({ permille, seconds, seed, verified, told }) {
  const dynalite = require(path.join(process.env.SCRIPT_BUILD_DIR || path.join(ROOT, 'build'),
    'tools/dynalite/node_modules/dynalite'));
  const store = dynalite({ createTableMs: 20, updateTableMs: 0, deleteTableMs: 0 });
  let shown = store;
  if (permille > 0 || verified)
    shown = front({ port: await listen(store), permille, seconds, random: randomness(seed),
      keys: verified ? keys : null, told, own });
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

async function main(words) {
  if (words[0] === '--tell') {
    await tell(process.env[CONTROL], words[1]);
    return 0;
  }
  const given = { permille: 0, seconds: Infinity, seed: 1, verified: false };
  const command = options(words, {
    '--verify': () => { given.verified = true; },
    '--faults': (value) => { given.permille = Number(value); },
    '--for': (value) => { given.seconds = Number(value); },
    '--seed': (value) => { given.seed = Number(value); },
  });
  const told = { requests: 0, badSignatures: 0 };
  const server = await start({ ...given, told });
  const status = await run(command, { '{url}': server.url }, { [CONTROL]: await control((what) => server[what]()) });
  if (given.permille > 0 || given.verified) console.log(`server: ${JSON.stringify(told)}`);
  return status !== 0 || told.badSignatures > 0 ? status || 1 : 0;
}

end('dynamodb.js', main);
