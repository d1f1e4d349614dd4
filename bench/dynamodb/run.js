'use strict';
// script/bench dynamodb: the driver beside the SDK, on one server, in one run.  See README.md.

const path = require('node:path');
const { contenders, larderUrl } = require('./contenders.js');
const { Server } = require('./server.js');
const stub = require('./stub.js');
const { targets } = require('./targets.js');
const { median } = require('../lib/measure.js');
const { options, workFolder, progress, run, script, sample, takeTurns, coldStarts, machine, version, print, finish, go } = require('../lib/rounds.js');

/** only: of these contenders alone; their rows, and nothing is written. */
const { quick, only } = options();
const ROUNDS = quick ? 1 : 3;
const MS = quick ? 300 : 1000;
const STARTS = quick ? 5 : 15;
const TAGGED = [1, quick ? 500 : 10_000];
const KB = 1024;
const SIZES = [KB, 220 * KB];

const both = ['larder', 'SDK'];
const names = Object.keys(contenders);
const rounds = [
  ...SIZES.flatMap((bytes) => [1, 32].map((inflight) => ({ op: 'get', bytes, inflight, names }))),
  ...SIZES.flatMap((bytes) => [1, 32].map((inflight) => ({ op: 'put', bytes, inflight, names: both }))),
  ...[1, 32].map((inflight) => ({ op: 'check', bytes: KB, inflight, names: both })),
];

const work = workFolder('dynamodb');
const file = (name) => path.join(__dirname, name);
const worker = (spec) => sample(file('worker.js'), spec);
const titleOf = ({ op, bytes, inflight }) => `${op}${op === 'check' ? ' of 10 tags' : `, ${bytes / KB} KB`}, ${inflight} in flight`;

async function table({ names: who, ...spec }, url) {
  const rows = await takeTurns({
    title: titleOf(spec), names: who.filter((name) => name.includes(only)), rounds: ROUNDS, measure: (contender) => worker({ contender, ...spec, url, ms: MS }),
  });
  return { ...spec, rows };
}

async function coldStart(url) {
  const samples = await coldStarts(file('cold.js'), { bare: ['bare'], larder: ['larder', url], sdk: ['SDK', url] }, STARTS);
  const of = (who) => median(samples[who].map((s) => s.ms));
  return { starts: STARTS, bareMs: of('bare'), larderMs: of('larder'), sdkMs: of('sdk') };
}

/** One round trip after the other, as dynalite's door saw them. */
async function revalidations(server) {
  const rows = [];
  for (const entries of TAGGED) {
    progress(`revalidateTag of ${entries}`);
    const args = [server.url, `tag-of-${entries}`, String(entries)];
    await script(file('revalidate.js'), ...args, 'fill');
    server.told();
    await script(file('revalidate.js'), ...args, 'go');
    rows.push({ entries, ...server.told() });
  }
  progress('');
  return rows;
}

/** What both ask, answered by dynalite and kept for the stub: one for each size. */
async function record(server) {
  const stubs = new Map();
  for (const bytes of SIZES) {
    const dir = path.join(work, `stub-${bytes}`);
    server.record(path.join(dir, 'replies'));
    for (const contender of names) {
      progress(`recording ${contender}, ${bytes / KB} KB`);
      await worker({ contender, bytes, url: server.url, record: true });
    }
    server.record(null);
    stubs.set(bytes, await stub.start(dir));
  }
  progress('');
  return stubs;
}

async function main() {
  const where = machine({ sdk: version(process.env.BENCH_SDK, '@aws-sdk/client-dynamodb') });
  const server = await Server.start();
  await run(process.env.BENCH_LARDER, ['provision'], { env: { LARDER_CACHE: larderUrl(server.url) } });
  const revalidate = await revalidations(server);
  const stubs = await record(server);
  const tables = [];
  for (const round of rounds) {
    tables.push(await table(round, stubs.get(round.bytes).url));
    if (tables.at(-1).rows.length > 0) print(titleOf(round), tables.at(-1).rows);
  }
  if (only) return;
  const cold = await coldStart(stubs.get(KB).url);
  console.log(`\nfirst answer, median of ${cold.starts}: bare node ${cold.bareMs.toFixed(1)} ms, larder ${cold.larderMs.toFixed(1)} ms, SDK ${cold.sdkMs.toFixed(1)} ms`);
  const result = { command: 'script/bench dynamodb', machine: where, rounds: ROUNDS, roundMs: MS, tables, revalidate, cold };
  finish({ ...result, targets: targets(result) });
}

go(main);
