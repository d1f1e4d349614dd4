'use strict';
// redis-benchmark, which comes with the server, and bench_driver: what C does without JavaScript.

const fs = require('node:fs');
const path = require('node:path');
const { run } = require('../lib/rounds.js');

const KB = 1024;
const PIPELINED = 16; // as -P 16
const KEYS = '64';
const TICK_US = 10_000; // of times in /proc

/** CPU time of all children that have ended, in steps of TICK_US: fields 16 and 17 of proc_pid_stat(5). */
function childrenCpuUs() {
  const stat = fs.readFileSync('/proc/self/stat', 'utf8');
  const [user, system] = stat.slice(stat.lastIndexOf(')') + 2).split(' ').slice(13, 15).map(Number);
  return (user + system) * TICK_US;
}

/** Its columns: "test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms" ... */
function row(csv) {
  const [, rps, , , p50, , p99] = csv.trim().split('\n').pop().split(',').map((field) => Number(field.replaceAll('"', '')));
  if (!(rps > 0)) throw new Error(`redis-benchmark said: ${csv}`);
  return { opsPerSecond: rps, p50Us: p50 * 1e3, p99Us: p99 * 1e3 };
}

/**
 * inflight: one connection up to 16, else so many with 16 each; plain: so many connections with one each (-P 1).
 * About as many requests as it answers in `ms`.
 */
async function redisBenchmark(server, { op, bytes, inflight, transport, ms }, { plain }) {
  const where = transport === 'unix' ? ['-s', server.socket] : ['-h', '127.0.0.1', '-p', String(server.port)];
  const pipelined = plain ? 1 : Math.min(inflight, PIPELINED);
  const all = [...where, '--csv', '-r', KEYS, '-d', String(bytes)];
  if (op === 'get') await run('redis-benchmark', [...all, '-t', 'set', '-n', '1000', '-P', '16', '-c', '1']);
  const expected = bytes > 64 * KB ? 4000 : pipelined === 1 ? 40_000 : 200_000;
  const n = Math.ceil((expected * ms) / 1000);
  const before = childrenCpuUs();
  const { stdout } = await run('redis-benchmark', [
    ...all, '-t', op === 'put' ? 'set' : 'get', '-n', String(n), '-c', String(inflight / pipelined), '-P', String(pipelined),
  ]);
  return { ...row(stdout), processUs: (childrenCpuUs() - before) / n };
}

async function benchDriver(server, { op, bytes, inflight, transport, ms }, ...through) {
  const release = path.join(process.env.BENCH_BUILD, 'release');
  const { stdout } = await run(path.join(release, 'bin/bench_driver'), [
    '--json', server[transport], op, String(bytes), String(inflight), String(ms), ...through,
  ], { env: { LARDER_DRIVER_PATH: path.join(release, 'lib/larder') } });
  const { ops, ...measured } = JSON.parse(stdout);
  return measured;
}

/** Who is measured in C.  Each: (server, {op, bytes, inflight, transport, ms}) resolves to a measurement. */
const programs = {
  'larder, driver': (server, what) => benchDriver(server, what),
  'larder, store': (server, what) => benchDriver(server, what, 'store'),
  'redis-benchmark -P 16': (server, what) => redisBenchmark(server, what, { plain: false }),
  'redis-benchmark -P 1': (server, what) => redisBenchmark(server, what, { plain: true }),
};

module.exports = { programs };
