'use strict';
// The figures of docs/benchmarks.md, between its two markers, from bench/results/core.json.

const { result: read, put, times, machineLine, targetLines } = require('../lib/figures.js');

const result = read('core.json');
const KB = 1024;

const table = (op, bytes, inflight) => result.tables.find((t) => t.op === op && t.bytes === bytes && t.inflight === inflight);
const row = (op, bytes, inflight, contender) => table(op, bytes, inflight).rows.find((r) => r.contender === contender);
const us = (x) => (x >= 100 ? x.toFixed(0) : x.toFixed(1));
const mb = (bytes) => (bytes / 2 ** 20).toFixed(1);

/** ours, theirs: which Larder, beside which FileSystemCache. */
function ratios(op, ours = 'no memory', theirs = ours) {
  const lines = [
    '| page | in flight | main thread: FileSystemCache / Larder | rate: Larder / FileSystemCache | p99: FileSystemCache / Larder | main thread: Larder, us |',
    '| --- | --- | --- | --- | --- | --- |',
  ];
  for (const bytes of [4 * KB, 300 * KB]) {
    for (const inflight of [1, 32]) {
      const a = row(op, bytes, inflight, `larder, ${ours}`);
      const b = row(op, bytes, inflight, `FileSystemCache, ${theirs}`);
      lines.push(`| ${bytes / KB} KB | ${inflight} | ${times(b.mainUs / a.mainUs)} | ${times(a.opsPerSecond / b.opsPerSecond)} | ` +
        `${times(b.p99Us / a.p99Us)} | ${us(a.mainUs)} |`);
    }
  }
  return lines;
}

function below(op) {
  const lines = [
    '| bytes | in flight | rate: addon / fs.promises | main thread: fs.promises / addon |',
    '| --- | --- | --- | --- |',
  ];
  for (const bytes of [4 * KB, 300 * KB]) {
    for (const inflight of [1, 32]) {
      const ours = row(op, bytes, inflight, 'larder, addon');
      const theirs = row(op, bytes, inflight, 'fs.promises');
      lines.push(`| ${bytes / KB} KB | ${inflight} | ${times(ours.opsPerSecond / theirs.opsPerSecond)} | ${times(theirs.mainUs / ours.mainUs)} |`);
    }
  }
  return lines;
}

const { cold, machine } = result;
const lines = [
  machineLine(result, `Next.js ${machine.next}`),
  '',
  '### Reads: beside FileSystemCache, without memory',
  '',
  ...ratios('get'),
  '',
  '![reads](images/bench-get.svg)',
  '',
  '### Reads: beside FileSystemCache, with memory',
  '',
  'FileSystemCache answers from a Map of live objects, and does not see what other processes revalidate. Larder looks at the marks ' +
    'before it answers from memory, and makes objects anew, which nobody shares.',
  '',
  ...ratios('get', 'memory'),
  '',
  '### Reads: beside FileSystemCache, with memory and trusted marks',
  '',
  'With `mark-age` greater than 0, JavaScript answers by itself what is still trusted. By default each reader gets Buffers of its own, ' +
    'which costs a copy of what is binary in a page (here a third of it):',
  '',
  ...ratios('get', 'mark-age', 'memory'),
  '',
  'With `memory-share=all` Buffers are given again, as FileSystemCache does, and the size of a page does not matter:',
  '',
  ...ratios('get', 'mark-age, shared', 'memory'),
  '',
  '### Reads: the addon alone, beside fs.promises.readFile',
  '',
  'The addon, its memory off, also looks at the marks of four tags and checks the whole entry.',
  '',
  ...below('get'),
  '',
  '### Writes: beside FileSystemCache',
  '',
  'Larder writes one file, with a checksum, so that a reader sees all of it or nothing; FileSystemCache writes several.',
  '',
  ...ratios('set'),
  '',
  '### Start and memory',
  '',
  '![start](images/bench-start.svg)',
  '',
  `From process start to the first answer, a hit: ${(cold.larderMs - cold.bareMs).toFixed(1)} ms over a bare node ` +
    `(median of ${cold.starts} each). Resident memory then: ${mb(cold.larderBytes - cold.bareBytes)} MB over a bare node, ` +
    `${mb(cold.larderOwnBytes - cold.bareOwnBytes)} MB of it not shared with other processes.`,
  '',
  ...moreLines(result),
  '### What was aimed at',
  '',
  ...targetLines(result.targets),
];
if (result.frame?.pages) lines.push('', '### The frame in C', '', ...frameLines(result.frame));

/** What earlier results do not have yet is left out. */
function moreLines({ stampede, memory, layers }) {
  const out = [];
  if (stampede) {
    out.push('### One page, many processes', '',
      `A page expires and ${stampede.processes} processes on one store ask for it at once; a render takes ${stampede.renderMs} ms; ` +
        `${stampede.expiries} expiries.`, '',
      '| setting `claim` | renders per expiry | most |', '| --- | --- | --- |',
      ...stampede.rows.map((r) => `| ${r.claim === '0' ? 'off' : r.claim} | ${r.rendersPerExpiry.toFixed(2)} | ${r.most} |`), '');
  }
  if (memory) {
    out.push('### Memory held against memory configured', '',
      '| setting `memory` | counter `memory_bytes` | held by the process | entries |', '| --- | --- | --- | --- |',
      `| ${mb(memory.configured_bytes)} MB | ${mb(memory.counted_bytes)} MB | ${mb(memory.held_bytes)} MB | ${memory.entries} |`, '');
  }
  if (layers) {
    out.push('### The layers', '',
      'CPU time of one operation on a driver that answers at once, with one layer after the other on it:', '',
      '| up to | ns | more |', '| --- | --- | --- |',
      ...layers.stacks.map((s) => `| ${s.name} | ${s.ns.toFixed(0)} | ${s.more_ns.toFixed(0)} |`), '');
  }
  return out;
}

function frameLines({ pages }) {
  return pages.flatMap((page) => [
    `A page of 300 KB, ${page.page}:`, '', '| step | CPU time / memcpy | MB/s |', '| --- | --- | --- |',
    ...page.steps.map((s) => `| ${s.name} | ${times(s.times_memcpy)} | ${Math.round(s.mb_per_s)} |`), '']);
}

put('docs/benchmarks.md', 'figures', lines);
