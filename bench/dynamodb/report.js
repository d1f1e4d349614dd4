'use strict';
// The figures about DynamoDB in docs/benchmarks.md, from bench/results/dynamodb.json.

const figures = require('../lib/figures.js');

const { machine, rounds, tables, revalidate, cold, targets } = figures.result('dynamodb.json');
const KB = 1024;

const figure = (x) => (x >= 100 ? Math.round(x).toLocaleString('en-US') : x.toFixed(1));
const title = ({ op, bytes }) => (op === 'check' ? 'marks of 10 tags' : `${op}, ${bytes / KB} KB`);

const rows = tables.flatMap((table) => table.rows.map((r) =>
  `| ${title(table)} | ${table.inflight} | ${r.contender} | ${figure(r.opsPerSecond)} | ${figure(r.p50Us)} | ${figure(r.p99Us)} | ` +
  `${figure(r.mainUs)} | ${figure(r.processUs)} |`));

figures.put('docs/benchmarks.md', 'dynamodb', [
  `Machine: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB; Linux ${machine.kernel}; Node.js ${machine.node}; ` +
    `@aws-sdk/client-dynamodb ${machine.sdk}. ${machine.load > 0.5 ? `Other work was running: a load of ${machine.load.toFixed(1)} when it began. ` : ''}` +
    `Medians of ${rounds} rounds that take turns.`,
  '',
  '| op | in flight | | ops/s | p50, us | p99, us | main thread, us | process, us |',
  '| --- | --- | --- | --- | --- | --- | --- | --- |',
  ...rows,
  '',
  'Marks that several gets or checks ask for at the same time are one request.',
  '',
  '| revalidateTag of a tag with | requests | one after the other |',
  '| --- | --- | --- |',
  ...revalidate.map((r) => `| ${r.entries.toLocaleString('en-US')} ${r.entries === 1 ? 'entry' : 'entries'} | ${r.requests} | ${r.sequential} |`),
  '',
  `From process start to the first answer, over a bare node: ${(cold.larderMs - cold.bareMs).toFixed(1)} ms; ` +
    `the SDK ${(cold.sdkMs - cold.bareMs).toFixed(1)} ms (median of ${cold.starts} each).`,
  '',
  '### What was aimed at, with DynamoDB',
  '',
  '| target | measured | |',
  '| --- | --- | --- |',
  ...targets.map(({ target, value, met }) => `| ${target} | ${value} | ${met ? 'met' : 'missed'} |`),
]);
