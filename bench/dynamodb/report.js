'use strict';
// The figures about DynamoDB in docs/benchmarks.md, from bench/results/dynamodb.json.

const { result: read, put, machineLine, rowLines, targetLines } = require('../lib/figures.js');

const result = read('dynamodb.json');
const { machine, tables, revalidate, cold, targets } = result;
const KB = 1024;

const title = ({ op, bytes }) => (op === 'check' ? 'marks of 10 tags' : `${op}, ${bytes / KB} KB`);

put('docs/benchmarks.md', 'dynamodb', [
  machineLine(result, `@aws-sdk/client-dynamodb ${machine.sdk}`),
  '',
  ...rowLines(tables, title),
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
  ...targetLines(targets),
]);
