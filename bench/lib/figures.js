'use strict';
// Figures in documents: what stands between two markers, written from results.

const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '../..');

const result = (name) => JSON.parse(fs.readFileSync(path.join(root, 'bench/results', name), 'utf8'));

/** Puts lines between <!-- marker --> and <!-- /marker --> of a document. */
function put(document, marker, lines) {
  const file = path.join(root, document);
  const text = fs.readFileSync(file, 'utf8');
  const between = new RegExp(`(<!-- ${marker} -->)[\\s\\S]*?(<!-- /${marker} -->)`);
  if (!between.test(text)) throw new Error(`${file} has no markers ${marker}`);
  fs.writeFileSync(file, text.replace(between, (_, begin, end) => `${begin}\n\n${lines.join('\n').trimEnd()}\n\n${end}`));
}

/** undefined: a dash */
const figure = (x) => (x === undefined ? '-' : x >= 100 ? Math.round(x).toLocaleString('en-US') : x.toFixed(1));
const times = (x) => (x >= 10 ? `${Math.round(x)}x` : x >= 1 ? `${x.toFixed(1)}x` : `${x.toFixed(2)}x`);

/** Where and how it was measured.  @param {string} versions  of what is measured, "Next.js 16, SDK 3" */
function machineLine({ machine, rounds }, versions) {
  const busy = machine.load > 0.5 ? `Other work was running: a load of ${machine.load.toFixed(1)} when it began. ` : '';
  return `Machine: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB; Linux ${machine.kernel}; Node.js ${machine.node}; ` +
    `${versions}. ${busy}Medians of ${rounds} rounds that take turns.`;
}

/** All columns of tables; without `main` for programs that have no such thread.  @param {(table: any) => string} title */
const rowLines = (tables, title, { main = true } = {}) => [
  `| op | in flight | | ops/s | p50, us | p99, us | ${main ? 'main thread, us | ' : ''}process, us |`,
  `| --- | --- | --- | --- | --- | --- | ${main ? '--- | ' : ''}--- |`,
  ...tables.flatMap((table) => table.rows.map((r) =>
    `| ${title(table)} | ${table.inflight} | ${r.contender} | ${figure(r.opsPerSecond)} | ${figure(r.p50Us)} | ${figure(r.p99Us)} | ` +
    `${main ? `${figure(r.mainUs)} | ` : ''}${figure(r.processUs)} |`)),
];

const targetLines = (targets) => [
  '| target | measured | |',
  '| --- | --- | --- |',
  ...targets.map(({ target, value, met }) => `| ${target} | ${value} | ${met ? 'met' : 'missed'} |`),
];

module.exports = { result, put, figure, times, machineLine, rowLines, targetLines };
