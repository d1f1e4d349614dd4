'use strict';
// The figures of the soak in docs/operations.md, from bench/results/soak.json.

const figures = require('../lib/figures.js');

const result = figures.result('soak.json');
const { machine, slopes, rests } = result;
const last = rests.at(-1);
const change = ({ slope, error }) => `${slope.toFixed(0)} ± ${(2 * error).toFixed(0)}`;
const failed = result.checks.filter((c) => !c.ok);

figures.put('docs/operations.md', 'soak', [
  `\`script/soak\`, ${Math.round(result.seconds / 60)} minutes: ${(result.operations / 1e6).toFixed(1)} million operations by ${result.clients} clients and by ` +
    `worker threads that came and went, Node.js ${machine.node}, ${machine.cores} cores (${machine.cpu}), load average ${machine.loadAfter[0]} at the end. ` +
    `After the first quarter resident memory changed by ${change(slopes.rss)} MB an hour, private memory by ${change(slopes.private)}; a rise of more than ` +
    `${result.limitMbPerHour} beyond that uncertainty would be a failure. At the last rest there were ${last.descriptors} descriptors, ${last.threads} threads (Node.js's own ` +
    `included) and ${last.timers} timers. ${failed.length === 0 ? 'Nothing grew.' : `**What did not hold: ${failed.map((c) => c.name).join('; ')}.**`}`,
  '',
  '![memory, descriptors, threads and timers over time](images/soak.svg)',
]);
