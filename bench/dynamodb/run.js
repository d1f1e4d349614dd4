'use strict';
// script/bench dynamodb: the driver beside the SDK, on one server, in one run.  See README.md.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { median } = require('../core/measure.js');
const { contenders, larderUrl } = require('./contenders.js');
const { Server } = require('./server.js');
const stub = require('./stub.js');
const { targets } = require('./targets.js');

const quick = process.argv.includes('--quick');
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

const work = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-bench-dynamodb-'));
process.on('exit', () => fs.rmSync(work, { recursive: true, force: true }));
// With them goes what runs beside this process: stub.js stops its server at exit.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

/** One line that overwrites itself, for somebody who watches. */
function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r${text}\x1b[K`);
}

/** Beside this process, which is the server of some. @returns {Promise<{ stdout: string, ms?: number }>} */
function run(program, args, { env } = {}) {
  return new Promise((resolve, reject) => {
    const begin = process.hrtime.bigint();
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'], env: { ...process.env, NODE_ENV: 'production', ...env }, timeout: 300_000,
    });
    const got = { stdout: '' };
    let errors = '';
    child.stdout.on('data', (chunk) => (got.stdout += chunk));
    child.stderr.on('data', (chunk) => (errors += chunk));
    child.stdio[3].on('data', () => (got.ms ??= Number(process.hrtime.bigint() - begin) / 1e6));
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve(got) : reject(new Error(`${path.basename(program)} ${args.join(' ')}: ${errors}`))));
  });
}

const script = (name, ...args) => run(process.execPath, [path.join(__dirname, name), ...args]);
const worker = async (spec) => JSON.parse((await script('worker.js', JSON.stringify(spec))).stdout.trim().split('\n').pop());

/** Rounds take turns, so that a slow minute of the machine hits all alike; medians of the rounds. */
async function table({ op, bytes, inflight, names: who }, url) {
  const samples = new Map(who.map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const contender of who) {
      progress(`${op} ${bytes / KB} KB, ${inflight} in flight, round ${round + 1}: ${contender}`);
      samples.get(contender).push(await worker({ contender, op, bytes, inflight, url, ms: MS }));
    }
  }
  progress('');
  const rows = who.map((contender) => {
    const row = { contender };
    for (const name of Object.keys(samples.get(contender)[0])) row[name] = median(samples.get(contender).map((s) => s[name]));
    return row;
  });
  return { op, bytes, inflight, rows };
}

async function coldStart(url) {
  const who = { bare: ['bare'], larder: ['larder', url], sdk: ['SDK', url] };
  const samples = { bare: [], larder: [], sdk: [] };
  for (let i = 0; i < STARTS; i++) {
    progress(`cold start ${i + 1}/${STARTS}`);
    for (const name of Object.keys(who)) samples[name].push((await script('cold.js', ...who[name])).ms);
  }
  progress('');
  return { starts: STARTS, bareMs: median(samples.bare), larderMs: median(samples.larder), sdkMs: median(samples.sdk) };
}

/** One round trip after the other, as dynalite's door saw them. */
async function revalidations(server) {
  const rows = [];
  for (const entries of TAGGED) {
    progress(`revalidateTag of ${entries}`);
    const args = [server.url, `tag-of-${entries}`, String(entries)];
    await script('revalidate.js', ...args, 'fill');
    server.told();
    await script('revalidate.js', ...args, 'go');
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

const version = (modules, name) => JSON.parse(fs.readFileSync(path.join(modules, name, 'package.json'), 'utf8')).version;
const machine = () => ({
  cpu: os.cpus()[0]?.model ?? 'unknown', cores: os.cpus().length, memoryGb: Math.round(os.totalmem() / 2 ** 30),
  load: os.loadavg()[0], kernel: os.release(), node: process.version, sdk: version(process.env.BENCH_SDK, '@aws-sdk/client-dynamodb'),
});

function print({ op, bytes, inflight, rows }) {
  console.log(`\n${op}${op === 'check' ? ' of 10 tags' : `, ${bytes / KB} KB`}, ${inflight} in flight`);
  console.log('                          ops/s    p50 us    p99 us   main thread us   process us');
  for (const r of rows) {
    console.log(`  ${r.contender.padEnd(20)} ${r.opsPerSecond.toFixed(0).padStart(8)} ${r.p50Us.toFixed(1).padStart(9)} ` +
      `${r.p99Us.toFixed(1).padStart(9)} ${r.mainUs.toFixed(2).padStart(16)} ${r.processUs.toFixed(2).padStart(12)}`);
  }
}

async function main() {
  const where = machine(); // before this run loads it
  const server = await Server.start();
  await run(process.env.BENCH_LARDER, ['provision'], { env: { LARDER_CACHE: larderUrl(server.url) } });
  const revalidate = await revalidations(server);
  const stubs = await record(server);
  const tables = [];
  for (const round of rounds) {
    tables.push(await table(round, stubs.get(round.bytes).url));
    print(tables.at(-1));
  }
  const cold = await coldStart(stubs.get(KB).url);
  console.log(`\nfirst answer, median of ${cold.starts}: bare node ${cold.bareMs.toFixed(1)} ms, larder ${cold.larderMs.toFixed(1)} ms, SDK ${cold.sdkMs.toFixed(1)} ms`);
  const result = { command: 'script/bench dynamodb', machine: where, rounds: ROUNDS, roundMs: MS, tables, revalidate, cold };
  result.targets = targets(result);
  console.log();
  for (const { target, value, met } of result.targets) console.log(`${met ? 'met   ' : 'MISSED'}  ${target}: ${value}`);
  fs.writeFileSync(process.env.BENCH_OUT, `${JSON.stringify(result, null, 1)}\n`);
}

main().then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
