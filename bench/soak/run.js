#!/usr/bin/env node
'use strict';
/*
 * The soak: see script/soak.  One process under full load (child.js), watched from outside: once a second, and
 * whenever it rests.
 */
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { fork } = require('node:child_process');
const { checks, LIMIT_MB_PER_H } = require('./flat.js');
const { end } = require('../lib/outcome.js');

const CLIENTS = 8;
/** Work and rest take turns; faults come at the same times of each turn and leave time to recover. */
const LONG = { seconds: 1200, turn: 60, rest: 6 };
const SHORT = { seconds: 15, turn: 5, rest: 1 };
const MB = 2 ** 20;

function options(argv) {
  const out = { ...LONG, short: false, json: false, out: '' };
  for (let i = 0; i < argv.length; i++) {
    if (argv[i] === '--seconds') out.seconds = Number(argv[++i]);
    else if (argv[i] === '--short') Object.assign(out, SHORT, { short: true });
    else if (argv[i] === '--json') out.json = true;
    else if (argv[i] === '--out') out.out = argv[++i];
    else throw new Error(`what is ${argv[i]}?`);
  }
  if (!(out.seconds > 0)) throw new Error('--seconds takes a number');
  return out;
}

/** In the first half of each turn; the layer counts from when the store was opened. */
function faults(turn) {
  const at = (share) => `${Math.round(turn * share * 1000)}ms`;
  const every = at(1);
  return [
    'seed=7',
    'any:error=retry@1%',
    'any:delay=1ms..5ms@1%',
    'get:corrupt@0.1%',
    `any:error=retry~${at(0.05)}/${every}+${at(0.1)}`,
    `any:drop~${at(0.05)}/${every}+${at(0.25)}`,
    `any:late=2s~${at(0.02)}/${every}+${at(0.4)}`,
  ].join('; ');
}

/** What the system says of a process. */
function outside(pid) {
  const rollup = fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kb = (name) => Number(rollup.match(new RegExp(`^${name}:\\s+(\\d+)`, 'm'))[1]);
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    rss: kb('Rss') / 1024,
    private: (kb('Private_Clean') + kb('Private_Dirty')) / 1024,
    descriptors: fs.readdirSync(`/proc/${pid}/fd`).length,
    threads: Number(status.match(/^Threads:\s+(\d+)/m)[1]),
  };
}

/** The child, one question at a time. */
class Child {
  constructor(arg) {
    // Two arenas of malloc: with one for each thread that came and went, what is resident tells of their pieces.
    const env = { ...process.env, MALLOC_ARENA_MAX: '2' };
    this.process = fork(path.join(__dirname, 'child.js'), [JSON.stringify(arg)], { execArgv: ['--expose-gc'], env });
    this.ended = new Promise((resolve) => this.process.once('exit', resolve));
  }
  hear() {
    return new Promise((resolve, reject) => {
      this.process.once('message', resolve);
      this.ended.then((code) => reject(new Error(`the process ended: ${code}`)));
    });
  }
  ask(what) {
    const answer = this.hear();
    this.process.send(what);
    return answer;
  }
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function soak(child, opts, tell) {
  const begin = performance.now();
  const now = () => (performance.now() - begin) / 1000;
  const sample = async () => ({ t: now(), ...outside(child.process.pid), ...(await child.ask('count')) });
  const samples = [];
  const rests = [];
  while (now() < opts.seconds) {
    const end = (rests.length + 1) * opts.turn;
    child.process.send('work');
    while (now() < end - opts.rest) {
      await sleep(1000 - ((performance.now() - begin) % 1000));
      samples.push(await sample());
      tell(samples.at(-1), rests.length);
    }
    const alive = await child.ask('rest');
    rests.push({ ...(await sample()), ...alive });
  }
  return { samples, rests };
}

const round = (x) => Math.round(x * 10) / 10;

/** At most `most` points: of each stretch the least memory, since garbage comes and goes. */
function thin(samples, most) {
  const stretch = Math.ceil(samples.length / most);
  const out = { t: [], rss: [], private: [], external: [], heap: [], operations: [], journal: [] };
  for (let i = 0; i < samples.length; i += stretch) {
    const some = samples.slice(i, i + stretch);
    const least = (what) => Math.min(...some.map((s) => s[what]));
    out.t.push(Math.round(some[0].t));
    out.rss.push(round(least('rss')));
    out.private.push(round(least('private')));
    out.external.push(round(least('external') / MB));
    out.heap.push(round(least('heapUsed') / MB));
    out.operations.push(some.at(-1).operations);
    out.journal.push(Math.max(...some.map((s) => s.journal)));
  }
  return out;
}

async function main() {
  const opts = options(process.argv.slice(2));
  for (const name of Object.keys(process.env)) if (/^LARDER_(?!NODE_ADDON$)/.test(name)) delete process.env[name];
  const dir = fs.mkdtempSync(path.join(process.env.SOAK_DIR ?? os.tmpdir(), 'larder-soak-'));
  const before = os.loadavg();
  const child = new Child({ clients: CLIENTS, dir, fault: faults(opts.turn) });
  const terminal = process.stderr.isTTY;
  let told = 0;
  const tell = (s, turns) => {
    const alive = `${Math.round(s.rss)} MB, ${s.descriptors} descriptors, ${s.threads} threads`;
    const line = `${Math.round(s.t)} of ${opts.seconds} s: ${s.operations} operations, ${alive}, ${turns} rests`;
    if (terminal) process.stderr.write(`\r${line}\x1b[K`);
    else if (s.t - told > 60) {
      told = s.t;
      process.stderr.write(`${line}\n`);
    }
  };
  let result;
  try {
    await child.hear();
    const { samples, rests } = await soak(child, opts, tell);
    result = {
      command: 'script/soak',
      seconds: Math.round(samples.at(-1).t),
      turn: opts.turn,
      clients: CLIENTS,
      operations: samples.at(-1).operations,
      machine: {
        cpu: os.cpus()[0]?.model ?? 'unknown',
        cores: os.cpus().length,
        node: process.version,
        load: before.map(round),
        loadAfter: os.loadavg().map(round),
      },
      ...checks(samples, rests, opts.short),
      limitMbPerHour: LIMIT_MB_PER_H,
      series: thin(samples, 240),
      rests: rests.map((r) => ({
        ...{ t: Math.round(r.t), rss: round(r.rss), private: round(r.private), descriptors: r.descriptors },
        ...{ threads: r.threads, timers: r.timers, externals: r.externals, buffers: r.buffers, journal: r.journal },
      })),
    };
  } finally {
    if (terminal) process.stderr.write('\r\x1b[K');
    if (child.process.connected) child.process.send('end');
    const timer = setTimeout(() => child.process.kill('SIGKILL'), 5000);
    await child.ended;
    clearTimeout(timer);
    fs.rmSync(dir, { recursive: true, force: true });
  }
  end(result, opts);
}

main().catch((error) => {
  console.error(`soak: ${error.stack ?? error}`);
  process.exitCode = 2;
});
