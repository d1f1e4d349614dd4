'use strict';
/*
 * The drill itself: two servers on one store, each with faults that change every few seconds, under load;
 * and what must hold all the while, and after.
 */
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { Server, sleep } = require('../harness.js');
const { startArgs } = require('../app.js');
const { cycle, phaseAt } = require('./plan.js');
const { Load, WORKERS, READ_DEADLINE_MS, WRITE_DEADLINE_MS } = require('./load.js');
const { recovery, statsOf } = require('./recovery.js');
const { series, byPhase, checks, RULE } = require('./summary.js');

/** One server does as by default, the other serves what it knows. */
const NAMES = ['miss', 'serve'];
/** After the last fault of a cycle. */
const RECOVERY_MS = 15_000;
/** `hangMs`: longer than any sum of deadlines and renders on a busy machine, shorter than for ever; 0: the rule. */
const SHORT = { seconds: 0, lead: 2, on: 1.5, gap: 0.5, hangMs: 15_000, records: '' };
const LONG = { seconds: 600, lead: 5, on: 4, gap: 2, hangMs: 0, records: '' };

/** A line over itself on a terminal, else now and then. */
function progress(load, plan, total) {
  const terminal = process.stderr.isTTY;
  let told = 0;
  const timer = setInterval(() => {
    const t = load.now();
    const bad = load.wrong.length + load.records.filter((r) => r.status >= 500 || r.error).length;
    const fault = phaseAt(plan, t)?.name ?? 'no fault';
    const line = `${Math.round(t)} of ${Math.round(total)} s, ${fault}: ${load.records.length} requests, ${bad} wrong`;
    if (terminal) process.stderr.write(`\r${line}\x1b[K`);
    else if (t - told > 30) {
      told = t;
      process.stderr.write(`${line}\n`);
    }
  }, 1000);
  return () => {
    clearInterval(timer);
    if (terminal) process.stderr.write('\r\x1b[K');
  };
}

/** Runs the plan; at the end of each cycle all must be well again. */
async function runPlan(load, plan, cycles, lead) {
  const recoveries = [];
  const until = async (t) => {
    while (load.now() < t) await sleep(50);
  };
  for (let i = 0; i < cycles; i++) {
    await until(i * plan.seconds + plan.quietFrom + 0.5);
    load.quiet = true;
    recoveries.push(await recovery(load, RECOVERY_MS));
    if (i < cycles - 1) await until((i + 1) * plan.seconds + lead / 2);
    load.quiet = false;
  }
  return recoveries;
}

function machine(version, before) {
  const rounded = (load) => load.map((x) => Math.round(x * 10) / 10);
  return {
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.cpus().length,
    kernel: os.release(),
    node: process.version,
    next: version,
    load: rounded(before),
    loadAfter: rounded(os.loadavg()),
  };
}

/** Of one server, what a reader of the result asks for. */
function excerpt({ instances, ...stats }) {
  const sum = (what) => instances.reduce((n, i) => n + i[what], 0);
  const { outageServed, outageUnstored, journalRepeats, corrupt, deadlines, late } = stats;
  return {
    ...{ outageServed, outageUnstored, journalRepeats, corrupt, deadlines, late },
    breakerOpened: sum('breakerOpened'),
    refused: sum('refused'),
    retries: sum('retries'),
  };
}

/**
 * @param {{ dir: string, version: string, origin: import('../harness.js').Origin }} app  built, with origin's data
 * @param {typeof LONG} opts
 */
async function rehearse({ dir, version, origin }, opts) {
  const plan = cycle(opts);
  const cycles = Math.max(1, Math.ceil(opts.seconds / plan.seconds));
  const before = os.loadavg();
  const store = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-drill-'));
  const servers = NAMES.map((name) => {
    const settings = { LARDER_CACHE: `fs:${store}`, LARDER_ON_OUTAGE: name, LARDER_FAULT: plan.setting };
    return new Server(dir, startArgs(dir), { ORIGIN: origin.url, ...settings });
  });
  try {
    for (const server of servers) await server.start();
    for (const server of servers) await server.get('/'); // opens the store, and so begins the plan
    const load = new Load(servers, origin);
    load.start();
    const stopProgress = progress(load, plan, cycles * plan.seconds);
    const recoveries = await runPlan(load, plan, cycles, opts.lead).finally(stopProgress);
    await load.stop();
    const { records, probes, revalidations, wrong } = load;
    const all = [...records, ...revalidations].sort((a, b) => a.at - b.at);
    if (opts.records) fs.writeFileSync(opts.records, all.map((r) => `${JSON.stringify(r)}\n`).join(''));
    const seconds = Math.max(...records.map((r) => r.at));
    return {
      command: 'script/drill',
      seconds: Math.round(seconds),
      cycle: plan.seconds,
      workers: WORKERS,
      rule: RULE,
      machine: machine(version, before),
      phases: plan.phases.map(({ name, text, from, seconds: length }) => ({ name, text, from, seconds: length })),
      servers: NAMES,
      requests: records.length,
      revalidations: revalidations.length,
      byPhase: byPhase(records, probes, plan, NAMES),
      recoveryMs: recoveries.map((r) => r.ms.map(Math.round)),
      stats: (await Promise.all(servers.map(statsOf))).map(excerpt),
      checks: checks({
        ...{ records, probes, revalidations, wrong, recoveries },
        deadlines: { readMs: READ_DEADLINE_MS, writeMs: WRITE_DEADLINE_MS },
        hangMs: opts.hangMs,
      }),
      series: series(records, probes, seconds),
    };
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    fs.rmSync(store, { recursive: true, force: true });
  }
}

module.exports = { rehearse, SHORT, LONG };
