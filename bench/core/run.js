'use strict';
// script/bench core: everything side by side, in one run.  See ../README.md.

const path = require('node:path');
const { stampede } = require('./stampede.js');
const { targets } = require('./targets.js');
const { median } = require('../lib/measure.js');
const { program } = require('../lib/programs.js');
const { options, workFolder, sample, takeTurns, coldStarts, machine, version, print, finish, go } = require('../lib/rounds.js');

/** only: of these contenders alone; their rows, and nothing is written. */
const { quick, only } = options();
const ROUNDS = quick ? 1 : 3;
const MS = quick ? 300 : 1500;
const STARTS = quick ? 5 : 21;
const EXPIRIES = quick ? 5 : 20;

const both = ['larder, addon', 'larder, no memory', 'larder, memory', 'fs.promises', 'FileSystemCache, no memory', 'FileSystemCache, memory'];
/** What is no other to write with is read alone. */
const contenders = { get: [...both, 'larder, mark-age', 'larder, mark-age, shared'], set: both };
const KB = 1024;

const work = workFolder('core');

function worker(spec) {
  const dir = path.join(work, `${spec.contender.replace(/\W+/g, '-')}-${spec.bytes}-${spec.op}`);
  return sample(path.join(__dirname, 'worker.js'), { ...spec, dir, ms: MS });
}

async function table(op, bytes, inflight) {
  const rows = await takeTurns({
    title: `${op} ${bytes / KB} KB, ${inflight} in flight`, names: contenders[op].filter((name) => name.includes(only)), rounds: ROUNDS,
    measure: (contender) => worker({ contender, op, bytes, inflight }),
  });
  return { op, bytes, inflight, rows };
}

async function coldStart() {
  // What a process before this one has stored.
  await worker({ contender: 'larder, memory', op: 'get', bytes: 4 * KB, inflight: 1 });
  const dir = path.join(work, `larder-memory-${4 * KB}-get`);
  const { key } = require('../lib/pages.js');
  const samples = await coldStarts(path.join(__dirname, 'cold.js'), { bare: ['bare'], larder: ['larder', dir, key(0)] }, STARTS);
  const ms = (who) => median(samples[who].map((s) => s.ms));
  const of = (who, what) => median(samples[who].map((s) => JSON.parse(s.told.slice(1))[what]));
  return {
    starts: STARTS,
    bareMs: ms('bare'), larderMs: ms('larder'),
    bareBytes: of('bare', 'resident'), larderBytes: of('larder', 'resident'),
    bareOwnBytes: of('bare', 'own'), larderOwnBytes: of('larder', 'own'),
  };
}

function printMore({ stampede: { processes, expiries, rows }, memory, layers }) {
  for (const { claim, rendersPerExpiry, most } of rows)
    console.log(`stampede, ${processes} processes, claim ${claim}: ${rendersPerExpiry.toFixed(2)} renders an expiry, at most ${most}, of ${expiries} expiries`);
  const mb = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MB`;
  if (memory) console.log(`memory: configured ${mb(memory.configured_bytes)}, counted ${mb(memory.counted_bytes)}, held ${mb(memory.held_bytes)}`);
  if (layers) console.log(`all layers: ${layers.layers_ns.toFixed(0)} ns an operation`);
}

async function main() {
  const where = machine({ next: version(process.env.BENCH_NEXT, 'next') });
  const tables = [];
  for (const op of ['get', 'set']) {
    for (const bytes of [4 * KB, 300 * KB]) {
      for (const inflight of [1, 32]) {
        tables.push(await table(op, bytes, inflight));
        if (tables.at(-1).rows.length > 0) print(`${op}, ${bytes / KB} KB, ${inflight} in flight`, tables.at(-1).rows);
      }
    }
  }
  if (only) return;
  const cold = await coldStart();
  console.log(`\ncold start, median of ${cold.starts}: bare node ${cold.bareMs.toFixed(1)} ms, first answer of larder ` +
    `${cold.larderMs.toFixed(1)} ms; resident ${(cold.bareBytes / 2 ** 20).toFixed(1)} MB, ${(cold.larderBytes / 2 ** 20).toFixed(1)} MB, of that not shared ` +
    `${(cold.bareOwnBytes / 2 ** 20).toFixed(1)} MB, ${(cold.larderOwnBytes / 2 ** 20).toFixed(1)} MB`);
  const result = {
    command: 'script/bench core', machine: where, rounds: ROUNDS, roundMs: MS, tables, cold,
    // In C: memory held against memory configured, what the layers cost one operation, the frame beside memcpy.
    stampede: await stampede(work, EXPIRIES), memory: program('memory'), layers: program('layers'), frame: program('frame'),
  };
  printMore(result);
  finish({ ...result, targets: targets(result) });
}

go(main);
