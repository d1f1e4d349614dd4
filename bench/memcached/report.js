'use strict';
// The figures about memcached in docs/benchmarks.md, from bench/results/memcached.json.

const { result: read, put, figure, machineLine, rowLines, targetLines } = require('../lib/figures.js');

const result = read('memcached.json');
const { machine, programs, clients, targets } = result;
const KB = 1024;

const title = ({ op, bytes }) => `${op}, ${bytes / KB} KB`;

put('docs/benchmarks.md', 'memcached', [
  machineLine(result, `memcached ${machine.memcached}, memjs ${machine.memjs}`),
  '',
  '| in C | in flight | | ops/s | p50, us | p99, us | process, us |',
  '| --- | --- | --- | --- | --- | --- | --- |',
  ...programs.flatMap((table) => table.rows.map((r) =>
    `| ${title(table)} | ${table.inflight} | ${r.contender} | ${figure(r.opsPerSecond)} | ${figure(r.p50Us)} | ${figure(r.p99Us)} | ${figure(r.processUs)} |`)),
  '',
  ...rowLines(clients, title),
  '',
  '### What was aimed at, with memcached',
  '',
  ...targetLines(targets),
]);
