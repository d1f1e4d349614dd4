'use strict';
// docs/images/bench-get.svg and bench-start.svg from bench/results/core.json.

const { draw } = require('../lib/bars.js');
const result = require('../lib/figures.js').result('core.json');

const KB = 1024;

const table = (op, bytes, inflight) => result.tables.find((t) => t.op === op && t.bytes === bytes && t.inflight === inflight);
const bars = (op, bytes, inflight, what) => table(op, bytes, inflight).rows.map((r) => ({ name: r.contender, value: r[what] }));

/** Without what answers from memory, beside which no other bar would be seen: the document has its figures. */
const stored = (list) => list.filter((b) => !/, memory$|mark-age/.test(b.name));

draw('bench-get.svg', 'Reads: cost and rate, Larder beside fs.promises and FileSystemCache', [
  { title: 'Main thread per get, 300 KB page, us', note: '1 in flight; less is better', bars: bars('get', 300 * KB, 1, 'mainUs') },
  { title: 'Main thread per get, 4 KB page, us', note: '32 in flight; less is better', bars: bars('get', 4 * KB, 32, 'mainUs') },
  { title: 'Gets per second, 300 KB page', note: '32 in flight; more is better', bars: stored(bars('get', 300 * KB, 32, 'opsPerSecond')) },
  { title: 'Gets per second, 4 KB page', note: '32 in flight; more is better', bars: stored(bars('get', 4 * KB, 32, 'opsPerSecond')) },
]);
const { cold } = result;
draw('bench-start.svg', 'Cold start and memory beside a bare node', [
  { title: 'Process start to first answer, ms', note: `median of ${cold.starts}`,
    bars: [{ name: 'bare node', value: cold.bareMs }, { name: 'larder on fs', value: cold.larderMs }] },
  { title: 'Resident memory after it, MB', note: `median of ${cold.starts}`,
    bars: [{ name: 'bare node', value: cold.bareBytes / 2 ** 20 }, { name: 'larder on fs', value: cold.larderBytes / 2 ** 20 }] },
]);
