'use strict';
// docs/images/bench-redis.svg and the figures about Redis in docs/benchmarks.md, from bench/results/redis.json.

const { draw } = require('../lib/bars.js');
const { result: read, put, figure, machineLine, rowLines, targetLines } = require('../lib/figures.js');

const result = read('redis.json');
const { machine, programs, clients, handlers, revalidate, targets } = result;
const KB = 1024;

const find = (tables, what) => tables.find((t) => Object.entries(what).every(([name, value]) => t[name] === value)).rows;
const bars = (tables, what, column) => find(tables, what).map((r) => ({ name: r.contender, value: r[column] }));

draw('bench-redis.svg', 'Reads from Redis: rate and cost, Larder beside clients and handlers', [
  { title: 'C, gets per second, 4 KB', note: '16 in flight, unix socket; more is better', bars: bars(programs, { op: 'get', bytes: 4 * KB, inflight: 16, transport: 'unix' }, 'opsPerSecond') },
  { title: 'Node.js, gets per second, 4 KB', note: '32 in flight; more is better', bars: bars(clients, { op: 'get', bytes: 4 * KB, inflight: 32 }, 'opsPerSecond') },
  { title: 'Node.js, main thread per string of 300 KB, us', note: '32 in flight; less is better', bars: bars(clients, { op: 'text', bytes: 300 * KB, inflight: 32 }, 'mainUs') },
  { title: 'cacheHandler.get, pages per second', note: '32 in flight; more is better', bars: bars(handlers, { op: 'get', kind: 'APP_PAGE', inflight: 32 }, 'opsPerSecond') },
  { title: 'cacheHandler.get, main thread per page, us', note: '32 in flight; less is better', bars: bars(handlers, { op: 'get', kind: 'APP_PAGE', inflight: 32 }, 'mainUs') },
]);

const verbs = { get: 'get', text: 'get of a string', put: 'put', set: 'set' };
const [few, many] = revalidate;

put('docs/benchmarks.md', 'redis', [
  machineLine(result, `Redis ${machine.redis}; ioredis ${machine.ioredis}; node-redis ${machine.nodeRedis}; ` +
    `@fortedigital/nextjs-cache-handler ${machine.fortedigital}; @trieb.work/nextjs-turbo-redis-cache ${machine.trieb}`),
  '',
  '![reads](images/bench-redis.svg)',
  '',
  '### Redis from C',
  '',
  ...rowLines(programs, ({ op, bytes, transport }) => `${verbs[op]}, ${bytes / KB} KB, ${transport}`, { main: false }),
  '',
  '### Redis through Node.js',
  '',
  ...rowLines(clients, ({ op, bytes }) => `${verbs[op]}, ${bytes / KB} KB`),
  '',
  '### Redis as cacheHandler',
  '',
  ...rowLines(handlers, ({ op, kind }) => `${verbs[op]}, ${kind}`),
  '',
  `| revalidateTag, ms | ${few.entries.toLocaleString('en-US')} entries | ${many.entries.toLocaleString('en-US')} entries |`,
  '| --- | --- | --- |',
  ...few.rows.map(({ contender, ms }, i) => `| ${contender} | ${figure(ms)} | ${figure(many.rows[i].ms)} |`),
  '',
  '### What was aimed at, with Redis',
  '',
  ...targetLines(targets),
]);
