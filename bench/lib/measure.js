'use strict';
// Clocks and statistics for the workers.

const fs = require('node:fs');

/** ns of CPU that the main thread has used. */
function mainThreadCpuNs() {
  if (process.threadCpuUsage) {
    const { user, system } = process.threadCpuUsage();
    return (user + system) * 1e3;
  }
  // First field of schedstat: ns on a CPU.  The main thread's id is the process's.
  return Number(fs.readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]);
}

function processCpuNs() {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1e3;
}

/** Resident memory in bytes. */
function residentBytes() {
  return Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
}

const median = (values) => quantile(Float64Array.from(values).sort(), 0.5);

/** sorted: ascending */
function quantile(sorted, q) {
  if (sorted.length === 0) return NaN;
  const at = (sorted.length - 1) * q;
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (at - low);
}

/**
 * Runs op(i) with `inflight` calls outstanding for about `ms`, after a warm-up of so many, and tells what it cost.
 * @param {(i: number) => Promise<unknown>} op
 */
async function measure(op, { inflight, ms, warmupOps, warmupMs = 10_000 }) {
  let next = 0;
  let latencies = new Float64Array(1 << 16);
  let n = 0;
  let until = 0;
  let ops = Infinity;

  const lane = async () => {
    for (;;) {
      const begin = performance.now();
      if (begin >= until || n >= ops) return;
      await op(next++);
      if (n === latencies.length) {
        const more = new Float64Array(latencies.length * 2);
        more.set(latencies);
        latencies = more;
      }
      latencies[n++] = performance.now() - begin;
    }
  };
  const lanes = () => Promise.all(Array.from({ length: inflight }, lane));

  until = performance.now() + warmupMs;
  ops = warmupOps;
  await lanes();

  n = 0;
  ops = Infinity;
  const main = mainThreadCpuNs();
  const all = processCpuNs();
  const begin = performance.now();
  until = begin + ms;
  await lanes();
  const seconds = (performance.now() - begin) / 1e3;
  const mainUs = (mainThreadCpuNs() - main) / 1e3 / n;
  const processUs = (processCpuNs() - all) / 1e3 / n;
  const sorted = latencies.subarray(0, n).sort();
  return {
    ops: n,
    opsPerSecond: n / seconds,
    p50Us: quantile(sorted, 0.5) * 1e3,
    p99Us: quantile(sorted, 0.99) * 1e3,
    mainUs,
    processUs,
  };
}

module.exports = { mainThreadCpuNs, processCpuNs, residentBytes, median, quantile, measure };
