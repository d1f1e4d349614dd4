'use strict';
// What the runs of script/bench have in common: processes that take turns, medians, the machine, how a run ends.
// A bench's worker.js is one contender, one size, one way of asking, in a process of its own: see worker.js.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { median } = require('./measure.js');

const WORKER_MS = 300_000;
const ERRORS_KEPT = 4096; // characters; there are contenders that warn at each call

/** --quick: a look, not a measurement.  --only NAME: the contenders with that in their names. */
function options(argv = process.argv) {
  const at = argv.indexOf('--only');
  return { quick: argv.includes('--quick'), only: at < 0 ? '' : argv[at + 1] };
}

/** A folder that is gone when this process is, whatever ends it; BENCH_DIR says where. */
function workFolder(name) {
  const dir = fs.mkdtempSync(path.join(process.env.BENCH_DIR || os.tmpdir(), `larder-bench-${name}-`));
  process.on('exit', () => fs.rmSync(dir, { recursive: true, force: true }));
  // With it goes what runs beside this process: servers are stopped at exit (server.js).
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
  return dir;
}

/** One line that overwrites itself, for somebody who watches. */
function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r${text}\x1b[K`);
}

/**
 * Runs a program beside this process, which may be the server of it.  `told` is what it writes to fd 3, and `ms` when
 * it began to, after its start.
 * @returns {Promise<{ stdout: string, told: string, ms?: number }>}
 */
function run(program, args, { env } = {}) {
  return new Promise((resolve, reject) => {
    const begin = process.hrtime.bigint();
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'], env: { ...process.env, NODE_ENV: 'production', ...env }, timeout: WORKER_MS,
    });
    const got = { stdout: '', told: '', ms: undefined };
    let errors = '';
    child.stdout.on('data', (chunk) => (got.stdout += chunk));
    child.stderr.on('data', (chunk) => (errors = (errors + chunk).slice(-ERRORS_KEPT)));
    child.stdio[3].on('data', (chunk) => {
      got.ms ??= Number(process.hrtime.bigint() - begin) / 1e6;
      got.told += chunk;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve(got);
      else reject(new Error(`${path.basename(program)} ${args.join(' ')}: ${signal ?? `exit status ${code}`}: ${errors}`));
    });
  });
}

const script = (file, ...args) => run(process.execPath, [file, ...args]);

/** What a worker measures. */
const sample = async (file, spec) => JSON.parse((await script(file, JSON.stringify(spec))).stdout.trim().split('\n').pop());

const medians = (samples) => Object.fromEntries(Object.keys(samples[0]).map((name) => [name, median(samples.map((s) => s[name]))]));

/**
 * Rounds take turns, so that a slow minute of the machine hits all alike; medians of the rounds.
 * @param {{ title: string, names: string[], rounds: number, measure: (contender: string) => Promise<Record<string, number>> }} table
 * @returns {Promise<({ contender: string } & Record<string, number>)[]>}
 */
async function takeTurns({ title, names, rounds, measure }) {
  const samples = new Map(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const contender of names) {
      progress(`${title}, round ${round + 1}: ${contender}`);
      samples.get(contender).push(await measure(contender));
    }
  }
  progress('');
  return names.map((contender) => ({ contender, ...medians(samples.get(contender)) }));
}

/**
 * Processes that say on fd 3 when their first answer is there, in turns.
 * @param {string} file  a bench's cold.js
 * @param {Record<string, string[]>} who  its arguments
 * @returns {Promise<Record<string, { ms: number, told: string }[]>>}
 */
async function coldStarts(file, who, starts) {
  const samples = Object.fromEntries(Object.keys(who).map((name) => [name, []]));
  for (let i = 0; i < starts; i++) {
    progress(`cold start ${i + 1}/${starts}`);
    for (const [name, args] of Object.entries(who)) {
      const { ms, told } = await script(file, ...args);
      if (ms === undefined) throw new Error(`${path.basename(file)} ${args.join(' ')} never answered`);
      samples[name].push({ ms, told });
    }
  }
  progress('');
  return samples;
}

/** Call it before the run loads the machine.  @param {Record<string, string>} versions  of what is measured */
const machine = (versions) => ({
  cpu: os.cpus()[0]?.model ?? 'unknown', cores: os.cpus().length, memoryGb: Math.round(os.totalmem() / 2 ** 30),
  load: os.loadavg()[0], kernel: os.release(), node: process.version, ...versions,
});

/** The version of a package in a node_modules. */
const version = (modules, name) => JSON.parse(fs.readFileSync(path.join(modules, name, 'package.json'), 'utf8')).version;

function print(title, rows) {
  const width = Math.max(18, ...rows.map((r) => r.contender.length)) + 2;
  console.log(`\n${title}\n  ${' '.repeat(width)}   ops/s    p50 us    p99 us   main thread us   process us`);
  const figure = (value, digits, columns) => (value === undefined ? '-' : value.toFixed(digits)).padStart(columns);
  for (const r of rows) {
    console.log(`  ${r.contender.padEnd(width)} ${figure(r.opsPerSecond, 0, 7)} ${figure(r.p50Us, 1, 9)} ${figure(r.p99Us, 1, 9)} ` +
      `${figure(r.mainUs, 2, 16)} ${figure(r.processUs, 2, 12)}`);
  }
}

/** Says what was aimed at and what came out, and writes all of it to BENCH_OUT. */
function finish(result) {
  console.log();
  for (const { target, value, met } of result.targets) console.log(`${met ? 'met   ' : 'MISSED'}  ${target}: ${value}`);
  fs.writeFileSync(process.env.BENCH_OUT, `${JSON.stringify(result, null, 1)}\n`);
}

/** Runs main to its end, and this process with it. */
function go(main) {
  main().then(() => process.exit(0), (error) => {
    console.error(error);
    process.exit(1);
  });
}

module.exports = { options, workFolder, progress, run, script, sample, medians, takeTurns, coldStarts, machine, version, print, finish, go };
