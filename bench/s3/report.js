'use strict';
// The figures about S3 in docs/benchmarks.md, from bench/results/s3.json.

const { KB, MB } = require('./contenders.js');
const { result: read, put, machineLine, rowLines, targetLines } = require('../lib/figures.js');

const result = read('s3.json');
const { machine, tables, cold, targets } = result;

const size = (bytes) => (bytes >= MB ? `${bytes / MB} MB` : `${bytes / KB} KB`);
const rowsOn = (server) => rowLines(tables.filter((t) => t.server === server), ({ op, bytes }) => `${op}, ${size(bytes)}`);

put('docs/benchmarks.md', 's3', [
  machineLine(result, `@aws-sdk/client-s3 ${machine.sdk}`),
  '',
  '### S3, on a server that repeats answers',
  '',
  ...rowsOn('stub'),
  '',
  `From process start to the first answer, over a bare node: ${(cold.larderMs - cold.bareMs).toFixed(1)} ms; ` +
    `the SDK ${(cold.sdkMs - cold.bareMs).toFixed(1)} ms (median of ${cold.starts} each).`,
  '',
  '### S3, on Ceph',
  '',
  ...rowsOn('gateway'),
  '',
  '### What was aimed at, with S3',
  '',
  ...targetLines(targets),
]);
