'use strict';
/*
 * Where the time of a process's first answer goes: CPU time of all its threads in ms, medians over
 * processes of their own.  CPU time, because other load on the machine disturbs it less.
 *
 *   node bindings/node/bench/start.js [processes]
 *
 * The steps are those of a first get in `next start`, one after the other.
 */
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { execFileSync } = require('node:child_process');

const lib = path.join(__dirname, '../lib');
const KEY = '/start';

/** In a child: the steps of the first get, as JSON. */
async function child(dir) {
  const steps = [];
  let begin = process.cpuUsage();
  const step = (name) => {
    const { user, system } = process.cpuUsage(begin);
    steps.push([name, (user + system) / 1e3]);
    begin = process.cpuUsage();
  };
  const LarderHandler = require(path.join(lib, 'next.js'));
  step('the handler is loaded');
  const native = require(path.join(lib, 'native.js'));
  step('native.js is loaded');
  native.load();
  step('the addon is loaded');
  const { settings } = require(path.join(lib, 'settings.js'));
  const found = settings(path.join(dir, '.next'));
  step('settings are found');
  const store = native.open(found);
  step('the store is opened');
  await store.get(native.KIND.PAGE, 'development', KEY, null, native.FLAG.RENDER);
  step('the entry is read');
  const { internals } = require(path.join(lib, 'internals.js'));
  internals(path.join(dir, '.next/server'));
  step('Next.js is looked for');
  const answer = await new LarderHandler({ dev: true, serverDistDir: path.join(dir, '.next/server') }).get(KEY, {
    kind: 'APP_PAGE',
  });
  if (answer?.value?.html === undefined) throw new Error('no hit');
  step('the handler answers');
  process.stdout.write(JSON.stringify(steps));
}

async function main(processes) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-start-'));
  process.on('exit', () => fs.rmSync(dir, { recursive: true }));
  process.env.LARDER_CACHE = `fs:${path.join(dir, 'store')}`;
  const LarderHandler = require(path.join(lib, 'next.js'));
  const handler = new LarderHandler({ dev: true });
  await handler.get(KEY, { kind: 'APP_PAGE' });
  const value = { kind: 'APP_PAGE', html: 'x'.repeat(4096), headers: {}, status: 200 };
  await handler.set(KEY, value, { cacheControl: { revalidate: 3600, expire: 7200 } });
  const runs = [];
  for (let i = 0; i < processes; i++)
    runs.push(JSON.parse(execFileSync(process.execPath, [__filename, '--child', dir], { encoding: 'utf8' })));
  const medians = [];
  let sum = 0;
  for (const [i, [name]] of runs[0].entries()) {
    const sorted = runs.map((run) => run[i][1]).sort((a, b) => a - b);
    const median = sorted[sorted.length >> 1];
    sum += median;
    medians.push([name, median]);
  }
  medians.push(['together', sum]);
  for (const [name, median] of medians) {
    const share = `${Math.round((100 * median) / sum)} %`;
    console.log(`${name.padEnd(24)} ${median.toFixed(2).padStart(6)} ms ${share.padStart(6)}`);
  }
}

if (process.argv[2] === '--child') child(process.argv[3]);
else main(Number(process.argv[2] ?? 21));
