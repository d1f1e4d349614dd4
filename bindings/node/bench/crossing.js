'use strict';
/*
 * What a call costs the JavaScript thread: the memory driver answers at once, so what is left is
 * the crossing, the core and making values.
 *
 *   node bindings/node/bench/crossing.js [--json] [--seconds N]
 *
 * main: CPU time of the JavaScript thread for one call, collection of garbage included.
 * process: that of all threads.
 */
const path = require('node:path');
const native = require('../lib/native.js');

const args = process.argv.slice(2);
const json = args.includes('--json');
const secondsAt = args.indexOf('--seconds');
const seconds = secondsAt >= 0 ? Number(args[secondsAt + 1]) : 1;

const addon = native.load();
if (!addon) process.exit(1);
const store = native.open([
  ['cache', 'memory:', 'the benchmark'],
  ['compress', args.includes('--compress') ? 'on' : 'off', 'the benchmark'],
]);

const BUILD = 'bench';
const tags = ['_N_T_/layout', '_N_T_/page', 'posts', 'post-1', 'author-7'];
const markup = (n, tail = '') => '<li class="row">one line of markup</li>\n'.repeat(n / 40) + tail;

const entries = {
  'empty': { meta: '{}', parts: [] },
  '4 KB Buffer': { meta: '{"kind":"APP_ROUTE"}', parts: [Buffer.alloc(4096, 'abcdefgh')] },
  '4 KB string': { meta: '{"kind":"FETCH"}', parts: [markup(4000)] },
  '300 KB Buffer': { meta: '{"kind":"APP_ROUTE"}', parts: [Buffer.alloc(300000, 'abcdefgh')] },
  '300 KB string': { meta: '{"kind":"FETCH"}', parts: [markup(300000)] },
  '300 KB string, not Latin-1': { meta: '{"kind":"FETCH"}', parts: [markup(300000, '漢字')] },
  '300 KB page': {
    meta: JSON.stringify({ kind: 'APP_PAGE', status: 200, headers: { 'x-next-cache-tags': tags.join(',') } }),
    parts: [
      markup(180000),
      Buffer.alloc(100000, 'rsc payload '),
      ...Array.from({ length: 4 }, (_, i) => Buffer.alloc(5000, `segment ${i} `)),
    ],
  },
};

async function put(key, entry, epoch) {
  const answer = await store.put({
    key,
    build: BUILD,
    kind: native.KIND.PAGE,
    epoch,
    modified: Date.now(),
    revalidate: 60000,
    expire: Infinity,
    tags,
    ...entry,
  });
  if (answer.status !== 0) throw new Error(`${key}: ${answer.status} ${answer.detail}`);
}

async function measure(name, inFlight, once) {
  let running = true;
  let calls = 0;
  async function client() {
    while (running) {
      await once();
      calls++;
    }
  }
  const warm = Array.from({ length: inFlight }, client);
  await new Promise((resolve) => setTimeout(resolve, 200));
  running = false;
  await Promise.all(warm);

  running = true;
  calls = 0;
  const begin = process.hrtime.bigint();
  const cpu = process.cpuUsage();
  const main = addon.threadCpuUs();
  const clients = Array.from({ length: inFlight }, client);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  running = false;
  await Promise.all(clients);
  const mainUs = addon.threadCpuUs() - main;
  const used = process.cpuUsage(cpu);
  const elapsed = Number(process.hrtime.bigint() - begin) / 1e9;
  return {
    name,
    inFlight,
    perSecond: Math.round(calls / elapsed),
    mainUs: +(mainUs / calls).toFixed(2),
    processUs: +((used.user + used.system) / calls).toFixed(2),
    rssMB: Math.round(process.memoryUsage.rss() / 1e6),
  };
}

function show(row) {
  if (json) return;
  const { name, inFlight, perSecond, mainUs, processUs, rssMB } = row;
  console.log(
    `${name.padEnd(32)} ${String(inFlight).padStart(4)} ${String(perSecond).padStart(9)}/s` +
      `   main ${mainUs.toFixed(2).padStart(7)} us   process ${processUs.toFixed(2).padStart(7)} us   rss ${rssMB} MB`,
  );
}

async function main() {
  const rows = [];
  if (!json) console.log(`node ${process.version}, ${path.basename(__filename)}, ${seconds} s each`);
  const run = async (...what) => {
    const row = await measure(...what);
    rows.push(row);
    show(row);
  };
  const { known } = await store.epoch();
  for (const inFlight of [1, 32]) {
    await run('get, miss', inFlight, () => store.get(native.KIND.PAGE, BUILD, 'nothing is here', null, 0));
    for (const [key, entry] of Object.entries(entries)) {
      await put(key, entry, known);
      await run(`get, ${key}`, inFlight, () => store.get(native.KIND.PAGE, BUILD, key, null, 0));
    }
    await run('get, 4 KB Buffer, 5 more tags', inFlight, () => store.get(native.KIND.PAGE, BUILD, '4 KB Buffer', tags, 0));
    await run('put, 300 KB page', inFlight, () => put('written', entries['300 KB page'], known));
    await run('check, 5 tags', inFlight, () => store.check(tags, 1));
  }
  if (json) console.log(JSON.stringify({ node: process.version, rows }));
}

main();
