'use strict';
// script/bench core: everything side by side, in one run.  See ../README.md.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawn, spawnSync } = require('node:child_process');
const { median } = require('./measure.js');
const { stampede } = require('./stampede.js');
const programs = require('./programs.js');
const { targets } = require('./targets.js');

const quick = process.argv.includes('--quick');
/** Of these contenders alone: their rows, and nothing is written. */
const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1] : '';
const ROUNDS = quick ? 1 : 3;
const MS = quick ? 300 : 1500;
const STARTS = quick ? 5 : 21;
const EXPIRIES = quick ? 5 : 20;

const both = ['larder, addon', 'larder, no memory', 'larder, memory', 'fs.promises', 'FileSystemCache, no memory', 'FileSystemCache, memory'];
/** What is no other to write with is read alone. */
const contenders = { get: [...both, 'larder, mark-age', 'larder, mark-age, shared'], set: both };
const KB = 1024;

const work = fs.mkdtempSync(path.join(process.env.BENCH_DIR || os.tmpdir(), 'larder-bench-'));
process.on('exit', () => fs.rmSync(work, { recursive: true, force: true }));

/** One line that overwrites itself, for somebody who watches. */
function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r${text}\x1b[K`);
}

function worker(spec) {
  const dir = path.join(work, `${spec.contender.replace(/\W+/g, '-')}-${spec.bytes}-${spec.op}`);
  const { status, stdout, stderr } = spawnSync(
    process.execPath, [path.join(__dirname, 'worker.js'), JSON.stringify({ ...spec, dir, ms: MS })],
    { encoding: 'utf8', timeout: 120_000, env: { ...process.env, NODE_ENV: 'production' } });
  if (status !== 0) throw new Error(`${JSON.stringify(spec)}: ${stderr}`);
  return JSON.parse(stdout.trim().split('\n').pop());
}

/** Rounds take turns, so that a slow minute of the machine hits all alike; medians of the rounds. */
function table(op, bytes, inflight) {
  const names = contenders[op].filter((name) => name.includes(only));
  const samples = new Map(names.map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const contender of names) {
      progress(`${op} ${bytes / KB} KB, ${inflight} in flight, round ${round + 1}: ${contender}`);
      samples.get(contender).push(worker({ contender, op, bytes, inflight }));
    }
  }
  progress('');
  const rows = names.map((contender) => {
    const row = { contender };
    for (const name of Object.keys(samples.get(contender)[0])) row[name] = median(samples.get(contender).map((s) => s[name]));
    return row;
  });
  return { op, bytes, inflight, rows };
}

function start(args) {
  return new Promise((resolve, reject) => {
    const begin = process.hrtime.bigint();
    const child = spawn(process.execPath, [path.join(__dirname, 'cold.js'), ...args], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'], env: { ...process.env, NODE_ENV: 'production' },
    });
    let ms;
    let text = '';
    let errors = '';
    child.stderr.on('data', (chunk) => (errors += chunk));
    child.stdio[3].on('data', (chunk) => {
      ms ??= Number(process.hrtime.bigint() - begin) / 1e6;
      text += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code !== 0 || ms === undefined) reject(new Error(`cold.js ${args.join(' ')}: ${errors}`));
      else resolve({ ms, ...JSON.parse(text.slice(1)) });
    });
  });
}

async function coldStart() {
  // What a process before this one has stored.
  worker({ contender: 'larder, memory', op: 'get', bytes: 4 * KB, inflight: 1 });
  const dir = path.join(work, `larder-memory-${4 * KB}-get`);
  const { key } = require('./pages.js');
  const samples = { bare: [], larder: [] };
  for (let i = 0; i < STARTS; i++) {
    progress(`cold start ${i + 1}/${STARTS}`);
    samples.bare.push(await start(['bare']));
    samples.larder.push(await start(['larder', dir, key(0)]));
  }
  progress('');
  const of = (who, what) => median(samples[who].map((s) => s[what]));
  return {
    starts: STARTS,
    bareMs: of('bare', 'ms'), larderMs: of('larder', 'ms'),
    bareBytes: of('bare', 'resident'), larderBytes: of('larder', 'resident'),
    bareOwnBytes: of('bare', 'own'), larderOwnBytes: of('larder', 'own'),
  };
}

const machine = () => ({
  cpu: os.cpus()[0]?.model ?? 'unknown', cores: os.cpus().length, memoryGb: Math.round(os.totalmem() / 2 ** 30),
  load: os.loadavg()[0], kernel: os.release(), node: process.version,
  next: require(path.join(process.env.BENCH_NEXT, 'next/package.json')).version,
});

function print({ op, bytes, inflight, rows }) {
  console.log(`\n${op}, ${bytes / KB} KB, ${inflight} in flight`);
  console.log('                               ops/s    p50 us    p99 us   main thread us   process us');
  for (const r of rows) {
    console.log(`  ${r.contender.padEnd(26)} ${r.opsPerSecond.toFixed(0).padStart(7)} ${r.p50Us.toFixed(1).padStart(9)} ` +
      `${r.p99Us.toFixed(1).padStart(9)} ${r.mainUs.toFixed(2).padStart(16)} ${r.processUs.toFixed(2).padStart(12)}`);
  }
}

function printMore({ stampede: { processes, expiries, rows }, memory, layers }) {
  for (const { claim, rendersPerExpiry, most } of rows)
    console.log(`stampede, ${processes} processes, claim ${claim}: ${rendersPerExpiry.toFixed(2)} renders an expiry, at most ${most}, of ${expiries} expiries`);
  const mb = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MB`;
  if (memory) console.log(`memory: configured ${mb(memory.configured_bytes)}, counted ${mb(memory.counted_bytes)}, held ${mb(memory.held_bytes)}`);
  if (layers) console.log(`all layers: ${layers.layers_ns.toFixed(0)} ns an operation`);
}

async function main() {
  const where = machine(); // before this run loads it
  const tables = [];
  for (const op of ['get', 'set']) {
    for (const bytes of [4 * KB, 300 * KB]) {
      for (const inflight of [1, 32]) {
        tables.push(table(op, bytes, inflight));
        if (tables.at(-1).rows.length > 0) print(tables.at(-1));
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
    stampede: await stampede(work, EXPIRIES), memory: programs.memory(), layers: programs.layers(), frame: programs.frame(),
  };
  printMore(result);
  result.targets = targets(result);
  console.log();
  for (const { target, value, met } of result.targets) console.log(`${met ? 'met   ' : 'MISSED'}  ${target}: ${value}`);
  fs.writeFileSync(process.env.BENCH_OUT, `${JSON.stringify(result, null, 1)}\n`);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
