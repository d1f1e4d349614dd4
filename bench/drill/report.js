'use strict';
// The figures of the drill in docs/operations.md, from bench/results/drill.json.

const figures = require('../lib/figures.js');

const result = figures.result('drill.json');
const { machine, byPhase, phases, servers, stats } = result;
const text = { none: 'none', ...Object.fromEntries(phases.map((p) => [p.name, `${p.name}: ${p.text}`])) };
const ms = (x) => (x >= 100 ? Math.round(x).toLocaleString('en-US') : x.toFixed(0));
const recovery = result.recoveryMs.flat().sort((a, b) => a - b);
const failed = result.checks.filter((c) => !c.ok);
const number = (x) => x.toLocaleString('en-US');

figures.put('docs/operations.md', 'drill', [
  `\`script/drill\`, ${Math.round(result.seconds / 60)} minutes: ${number(result.requests)} requests and ${result.revalidations} revalidations by ` +
    `${result.workers} clients, Next.js ${machine.next}, Node.js ${machine.node}, ${machine.cores} cores (${machine.cpu}); load average ` +
    `${machine.load[0]} before and ${machine.loadAfter[0]} at the end, other work included, so times are upper bounds. ` +
    (failed.length === 0
      ? 'No request failed, hung or was wrong.'
      : `**What did not hold: ${failed.map((c) => c.name).join('; ')}.**`),
  '',
  '![requests while the store fails in ten ways](images/drill.svg)',
  '',
  `| fault | render, ms | ${servers.map((s) => `${s}: from cache | p50, ms | p99, ms`).join(' | ')} |`,
  `| --- | --- | ${servers.map(() => '--- | --- | ---').join(' | ')} |`,
  ...byPhase.map(
    (row) =>
      `| ${text[row.name]} | ${ms(row.render)} | ${row.servers.map((s) => `${Math.round(s.served)} % | ${ms(s.p50)} | ${ms(s.p99)}`).join(' | ')} |`,
  ),
  '',
  `*Render*: what half of the renders past the cache took at that time. After the last fault of a round the last get that had to do without the store ` +
    `came after ${ms(recovery[Math.floor(recovery.length / 2)])} ms in the middle and ${ms(recovery.at(-1))} ms at most; then each page was a HIT by its second ` +
    `request, in both processes. In all, \`${servers[1]}\` answered ${number(stats[1].outageServed)} gets without marks, and left ` +
    `${number(stats[1].outageUnstored)} renderings unstored; the breakers opened ${stats[0].breakerOpened} and ${stats[1].breakerOpened} times.`,
]);
