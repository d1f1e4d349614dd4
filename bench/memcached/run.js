'use strict';
// script/bench memcached: the driver beside libmemcached and memjs, on one server, in one run.  See README.md.

const path = require('node:path');
const { clients } = require('./clients.js');
const { programs } = require('./programs.js');
const { targets } = require('./targets.js');
const { freePort, start } = require('../lib/server.js');
const { options, workFolder, run, sample, takeTurns, machine, version, print, finish, go } = require('../lib/rounds.js');

const { quick, only } = options();
const ROUNDS = quick ? 1 : 3;
const MS = quick ? 200 : 700;
const KB = 1024;
const MEMORY_MB = '512';

const named = (all) => Object.keys(all).filter((name) => name.includes(only));
const specs = (op) => [4 * KB, 300 * KB].flatMap((bytes) => [1, 32].map((inflight) => ({ op, bytes, inflight })));
/** Marks are read with a get, not with a put. */
const clientsOf = ({ op }) => named(clients).filter((name) => op === 'get' || !name.includes('mark-age'));

const titles = {
  programs: ({ op, bytes, inflight }) => `C: ${op}, ${bytes / KB} KB, ${inflight} in flight`,
  clients: ({ op, bytes, inflight }) => `Node.js: ${op}, ${bytes / KB} KB, ${inflight} in flight`,
};

const work = workFolder('memcached');

async function startMemcached() {
  const port = await freePort();
  const user = process.getuid() === 0 ? ['-u', 'nobody'] : [];
  await start('memcached', ['-l', '127.0.0.1', '-p', String(port), '-U', '0', '-m', MEMORY_MB, '-t', '2', ...user], {
    dir: work, where: { port, host: '127.0.0.1' },
  });
  const { stdout } = await run('memcached', ['-V']);
  const url = `memcached://127.0.0.1:${port}`;
  return { port, url, unix: url, version: stdout.trim().split(' ').pop() }; // unix: what bench/redis/clients.js takes
}

async function tables(title, namesOf, measure) {
  const done = [];
  for (const spec of [...specs('get'), ...specs('put')]) {
    const names = namesOf(spec);
    if (names.length === 0) continue;
    done.push({ ...spec, rows: await takeTurns({ title: title(spec), names, rounds: ROUNDS, measure: (contender) => measure(contender, { ...spec, ms: MS }) }) });
    print(title(spec), done.at(-1).rows);
  }
  return done;
}

async function main() {
  const where = machine({ memjs: version(process.env.BENCH_CLIENTS, 'memjs') });
  const server = await startMemcached();
  const result = { command: 'script/bench memcached', machine: { ...where, memcached: server.version }, rounds: ROUNDS, roundMs: MS };
  result.programs = await tables(titles.programs, () => named(programs), (name, spec) => programs[name](server, spec));
  result.clients = await tables(titles.clients, clientsOf, (client, spec) => sample(path.join(__dirname, 'worker.js'), { client, server, ...spec }));
  if (only) return;
  finish({ ...result, targets: targets(result) });
}

go(main);
