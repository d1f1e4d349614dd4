'use strict';
// The figures about larder seed and larder prune in docs/benchmarks.md, from bench/results/seed.json.

const { result, put, figure, times } = require('../lib/figures.js');

const { machine, entries, bytes, rows } = result('seed.json');
const rate = (row) => row.entries / row.seconds;
const copy = rows.find((row) => row.what.startsWith('cp'));

put('docs/benchmarks.md', 'seed', [
  `Machine: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB; Linux ${machine.kernel}. ` +
    `${machine.load > 0.5 ? `Other work was running: a load of ${machine.load.toFixed(1)} when it began. ` : ''}` +
    `One run, ${entries.toLocaleString('en-US')} pages of ${bytes.toLocaleString('en-US')} bytes in three files each.`,
  '',
  '| | entries/s | beside cp -r | CPU each, us | memory at most, MB |',
  '| --- | --- | --- | --- | --- |',
  ...rows.map(
    (row) =>
      `| ${row.what} | ${figure(rate(row))} | ${times(rate(row) / rate(copy))} | ${figure((row.cpuSeconds / row.entries) * 1e6)} | ` +
      `${figure(row.peakMb)} |`,
  ),
]);
