'use strict';
// script/bench redis: everything beside everything else on one server, in one run.  See README.md.

const path = require('node:path');
const { programs } = require('./benchmark.js');
const { clients } = require('./clients.js');
const { kinds } = require('./entries.js');
const { handlers } = require('./handlers.js');
const { startRedis } = require('./server.js');
const { targets } = require('./targets.js');
const { options, workFolder, progress, script, sample, takeTurns, machine, version, print, finish, go } = require('../lib/rounds.js');

const { quick, only } = options();
const ROUNDS = quick ? 1 : 3;
const MS = quick ? 200 : 400;
const TAGGED = quick ? [10, 500] : [100, 10_000];
const KB = 1024;

const named = (all) => Object.keys(all).filter((name) => name.includes(only));

/** Three ways to keep the server busy on a socket, and the usual one over TCP. */
const inC = [
  ...[4 * KB, 300 * KB].flatMap((bytes) => [1, 16, 32].map((inflight) => ({ op: 'get', bytes, inflight, transport: 'unix' }))),
  ...[4 * KB, 300 * KB].map((bytes) => ({ op: 'get', bytes, inflight: 16, transport: 'tcp' })),
  ...[4 * KB, 300 * KB].map((bytes) => ({ op: 'put', bytes, inflight: 16, transport: 'unix' })),
];
const inNode = [
  ...[1, 32].map((inflight) => ({ op: 'get', bytes: 4 * KB, inflight })),
  ...['get', 'text'].flatMap((op) => [1, 32].map((inflight) => ({ op, bytes: 300 * KB, inflight }))),
  ...[4 * KB, 300 * KB].map((bytes) => ({ op: 'put', bytes, inflight: 32 })),
];
const asHandler = [
  ...Object.keys(kinds).flatMap((kind) => [1, 32].map((inflight) => ({ op: 'get', kind, inflight }))),
  ...Object.keys(kinds).map((kind) => ({ op: 'set', kind, inflight: 32 })),
];
/** What says nothing new is left out: about six minutes are enough. */
const programsOf = ({ inflight, transport, op }) => named(programs).filter((name) => {
  if (name === 'larder, store') return inflight === 16 && transport === 'unix';
  return name.endsWith('-P 1') ? inflight === 1 && op === 'get' : !name.endsWith('-P 16') || inflight > 1;
});
const clientsOf = ({ op }) => named(clients).filter((name) => op !== 'put' || !name.includes('mark-age'));
const handlersOf = ({ op, kind }) => named(handlers).filter((name) => {
  if (name === 'fortedigital' && kind === 'IMAGE') return false; // they come back as objects that are no Buffers
  if (name.includes('no memory')) return op === 'get' && (kind === 'APP_PAGE' || name === 'larder, no memory');
  return name !== 'larder, uncompressed' || (kind === 'APP_PAGE' && op === 'set');
});

const what = { get: 'get', text: 'get of a string', put: 'put', set: 'set' };
const titles = {
  programs: ({ op, bytes, inflight, transport }) => `C: ${what[op]}, ${bytes / KB} KB, ${inflight} in flight, ${transport}`,
  clients: ({ op, bytes, inflight }) => `Node.js: ${what[op]}, ${bytes / KB} KB, ${inflight} in flight`,
  handlers: ({ op, kind, inflight }) => `cacheHandler.${what[op]}, ${kind}, ${inflight} in flight`,
};

const work = workFolder('redis');
const file = (name) => path.join(__dirname, name);

async function tables(title, specs, namesOf, server, measure) {
  const done = [];
  for (const spec of specs) {
    const names = namesOf(spec);
    if (names.length === 0) continue;
    server.flush();
    done.push({ ...spec, rows: await takeTurns({ title: title(spec), names, rounds: ROUNDS, measure: (contender) => measure(contender, spec) }) });
    print(title(spec), done.at(-1).rows);
  }
  return done;
}

async function revalidations(server) {
  const done = [];
  for (const entries of TAGGED) {
    const rows = await takeTurns({
      title: `revalidateTag with ${entries} entries`, names: ['larder', 'fortedigital', 'trieb'], rounds: ROUNDS,
      async measure(handler) {
        server.flush();
        const args = [handler, JSON.stringify(server), work, 'prices', String(entries)];
        await script(file('revalidate.js'), ...args, 'fill');
        return JSON.parse((await script(file('revalidate.js'), ...args, 'go')).stdout);
      },
    });
    done.push({ entries, rows });
    console.log(`\nrevalidateTag of a tag with ${entries} entries`);
    for (const { contender, ms } of rows) console.log(`  ${contender.padEnd(20)} ${ms.toFixed(2).padStart(9)} ms`);
  }
  progress('');
  return done;
}

async function main() {
  const of = (name) => version(process.env.BENCH_CLIENTS, name);
  const where = machine({
    ioredis: of('ioredis'), nodeRedis: of('redis'), fortedigital: of('@fortedigital/nextjs-cache-handler'),
    trieb: version(process.env.BENCH_TRIEB, '@trieb.work/nextjs-turbo-redis-cache'),
  });
  const server = await startRedis(work);
  const worker = (spec) => sample(file('worker.js'), { ...spec, server, dir: work, ms: MS });
  const result = { command: 'script/bench redis', machine: { ...where, redis: server.version }, rounds: ROUNDS, roundMs: MS };
  result.programs = await tables(titles.programs, inC, programsOf, server, (contender, spec) => programs[contender](server, { ...spec, ms: MS }));
  result.clients = await tables(titles.clients, inNode, clientsOf, server, (client, spec) => worker({ client, ...spec }));
  result.handlers = await tables(titles.handlers, asHandler, handlersOf, server, (handler, spec) => worker({ handler, ...spec }));
  if (only) return;
  result.revalidate = await revalidations(server);
  finish({ ...result, targets: targets(result) });
}

go(main);
