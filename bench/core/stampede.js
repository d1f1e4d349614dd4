'use strict';
// An entry expires and every process wants it at once: how many render it?  Processes of their own on
// one store, each of which "renders" by a timer, with the setting `claim` off and on.

const path = require('node:path');
const { fork } = require('node:child_process');

const PROCESSES = 8;
const RENDER_MS = 100;
const TAG = 'posts';
const KEY = '/post/1';
const CLAIM = '5s';

/** One of them: answers each message with how often it rendered. */
function child(dir, claim) {
  const { open, load, KIND, FLAG, FRESH } = require('../../bindings/node/lib/native.js');
  if (!load()) throw new Error('the addon does not load');
  const settings = { cache: `fs:${dir}`, claim, 'claim-wait': '10s', 'get-deadline': '10s', 'write-deadline': '10s' };
  const store = open(Object.entries(settings).map(([name, value]) => [name, value, 'the benchmark']));

  async function ask() {
    const { verdict, known } = await store.get(KIND.PAGE, 'bench', KEY, null, FLAG.RENDER);
    if (verdict === FRESH) return 0;
    if (verdict < 0) throw new Error(`a get fails: ${verdict}`);
    await new Promise((resolve) => setTimeout(resolve, RENDER_MS));
    const { status } = await store.put({
      key: KEY, build: 'bench', kind: KIND.PAGE, epoch: known, modified: Date.now(), revalidate: NaN, expire: NaN,
      tags: [TAG], meta: '{}', parts: ['a page'],
    });
    if (status !== 0) throw new Error(`a put fails: ${status}`);
    return 1;
  }

  async function expire() {
    const { status } = await store.revalidate([TAG]);
    if (status !== 0) throw new Error(`a revalidation fails: ${status}`);
    return 0;
  }

  process.on('message', async (what) => process.send(await (what === 'ask' ? ask() : expire())));
  process.on('disconnect', () => process.exit(0));
}

/** The answer to one message; a process that dies is an error. */
function answer(from, what) {
  return new Promise((resolve, reject) => {
    const died = (code) => reject(new Error(`stampede: a process ended with ${code}`));
    from.once('exit', died);
    from.once('message', (value) => {
      from.off('exit', died);
      resolve(value);
    });
    from.send(what);
  });
}

/** Renders for each of so many expiries. */
async function renders(dir, claim, expiries) {
  const children = Array.from({ length: PROCESSES }, () => fork(__filename, [dir, claim]));
  const counts = [];
  try {
    const all = (what) => Promise.all(children.map((each) => answer(each, what)));
    await all('ask');
    for (let i = 0; i < expiries; i++) {
      await answer(children[i % PROCESSES], 'expire');
      counts.push((await all('ask')).reduce((a, b) => a + b));
    }
  } finally {
    for (const each of children) if (each.connected) each.disconnect();
  }
  return counts;
}

/** @param {string} work  a folder  @param {number} expiries */
async function stampede(work, expiries) {
  const rows = [];
  for (const claim of ['0', CLAIM]) {
    const counts = await renders(path.join(work, `stampede-${claim}`), claim, expiries);
    const sum = counts.reduce((a, b) => a + b);
    rows.push({ claim, rendersPerExpiry: sum / expiries, most: Math.max(...counts) });
  }
  return { processes: PROCESSES, expiries, renderMs: RENDER_MS, rows };
}

if (require.main === module) child(...process.argv.slice(2));

module.exports = { stampede };
