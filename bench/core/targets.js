'use strict';
// What was aimed at, and what came out.

const KB = 1024;

/** Each: the target, the figure as a text, and whether it is met. */
function targets({ tables, cold, stampede, memory, layers }) {
  const row = (op, bytes, inflight, contender) =>
    tables.find((t) => t.op === op && t.bytes === bytes && t.inflight === inflight).rows.find((r) => r.contender === contender);
  const times = (x) => `${x.toFixed(1)}x`;
  const reads = row('get', 4 * KB, 32, 'larder, addon').opsPerSecond / row('get', 4 * KB, 32, 'fs.promises').opsPerSecond;
  const cpu = row('get', 300 * KB, 1, 'FileSystemCache, no memory').mainUs / row('get', 300 * KB, 1, 'larder, no memory').mainUs;
  const cpu32 = row('get', 300 * KB, 32, 'FileSystemCache, no memory').mainUs / row('get', 300 * KB, 32, 'larder, no memory').mainUs;
  // From JavaScript's own memory: it may not depend on the size of the page.
  const hits = [4 * KB, 300 * KB].flatMap((bytes) => [1, 32].map((inflight) => row('get', bytes, inflight, 'larder, mark-age, shared').mainUs));
  const hit = Math.max(...hits);
  const ms = cold.larderMs - cold.bareMs;
  const mb = (cold.larderBytes - cold.bareBytes) / 2 ** 20;
  const claimed = stampede.rows.find((r) => r.claim !== '0').rendersPerExpiry;
  const list = [
    { target: '4 KB reads, 32 in flight: at least 5x fs.promises', value: times(reads), met: reads >= 5 },
    { target: 'main thread, 300 KB page, 1 in flight: at most 1/20 of FileSystemCache', value: `1/${cpu.toFixed(1)}`, met: cpu >= 20 },
    { target: 'main thread, 300 KB page, 32 in flight: at most 1/20 of FileSystemCache', value: `1/${cpu32.toFixed(1)}`, met: cpu32 >= 20 },
    { target: 'main thread, hit with mark-age and memory-share=all, page of any size: below 3 us', value: `${hit.toFixed(1)} us`, met: hit < 3 },
    { target: 'first answer: at most 15 ms over bare node', value: `${ms.toFixed(1)} ms`, met: ms <= 15 },
    { target: 'resident memory: at most 6 MB over bare node', value: `${mb.toFixed(1)} MB`, met: mb <= 6 },
    { target: `an expired page in ${stampede.processes} processes, with claim: 1 render`, value: claimed.toFixed(2), met: claimed <= 1 },
  ];
  if (memory) {
    const off = memory.held_bytes / memory.configured_bytes - 1;
    list.push({
      target: 'the setting memory: within 10 % of what the process holds', value: `${off < 0 ? '' : '+'}${(off * 100).toFixed(1)} %`,
      met: Math.abs(off) <= 0.1,
    });
  }
  if (layers) {
    const us = layers.layers_ns / 1e3;
    list.push({ target: 'all layers: at most 1 us an operation', value: `${us.toFixed(2)} us`, met: us <= 1 });
  }
  return list;
}

module.exports = { targets };
