'use strict';
/* The core's log in JavaScript.  A store with the setting `fault` has a line to say as it opens. */
const { test } = require('node:test');
const { runsWell, run, native } = require('./support/native.js');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

native.load();
const LOUD = { env: { LARDER_LOG: '' } };

test('lines of the core come to the function of setLog(), with their level', () =>
  runsWell(async ({ open, setLog }) => {
    const heard = new Promise((resolve) => setLog((level, line) => resolve(`${level}: ${line}`)));
    open('cache', 'memory:', 'fault', 'ping:drop').epoch();
    console.log(await heard);
  }, 'warn: FAULTS ARE ON: the setting `fault` harms operations of driver memory (cache+tags): ping:drop\n', LOUD));

test('without a function they go to stderr, and the setting says which', async () => {
  const program = async ({ open }) => {
    await open('cache', 'memory:', 'fault', 'ping:drop').epoch();
    await new Promise((resolve) => setImmediate(resolve));
  };
  const { stderr } = await run(program, LOUD);
  assert.match(stderr, /^larder: FAULTS ARE ON: .*\n$/);
  for (const level of ['error', 'off']) assert.equal((await run(program, { env: { LARDER_LOG: level } })).stderr, '');
});

test('the thread that asked hears them, and when it is gone the main one', () =>
  runsWell(async ({ start, said, ended, open, setLog }) => {
    const lines = [];
    const first = new Promise((resolve) => setLog((_, line) => resolve(lines.push(line))));
    await open('cache', 'memory:').epoch();
    const worker = start(({ setLog, open, parentPort }) => {
      setLog((_, line) => parentPort.postMessage(line));
      open('cache', 'memory:').epoch().then(() => parentPort.postMessage('ready'));
      parentPort.on('message', () => parentPort.close());
    });
    console.log(await said(worker));
    const told = said(worker);
    await open('cache', 'memory:', 'fault', 'ping:drop@1%').epoch();
    console.log((await told).slice(-12), lines.length);
    worker.postMessage('end');
    await ended(worker);
    await open('cache', 'memory:', 'fault', 'ping:drop@2%').epoch();
    await first;
    console.log(lines.length, lines[0].slice(-12));
  }, 'ready\nping:drop@1% 0\n1 ping:drop@2%\n', LOUD));

test('terminate() while lines come', () =>
  runsWell(async ({ start, said, open }) => {
    const worker = start(({ setLog, open, parentPort }) => {
      setLog(() => {});
      open('cache', 'memory:').epoch().then(() => parentPort.postMessage(''));
      setInterval(() => {}, 1000);
    });
    await said(worker);
    const stores = Array.from({ length: 20 }, (_, i) => open('cache', 'memory:', 'fault', `ping:drop@${i + 1}%`));
    const calls = stores.map((store) => store.epoch());
    await Promise.all([worker.terminate(), ...calls]);
  }));

test('of a flood, what is too much for one turn is counted', () =>
  runsWell(async ({ open, setLog }) => {
    const lines = [];
    const last = new Promise((resolve) => setLog((_, line) => lines.push(line) === 33 && resolve()));
    const stores = Array.from({ length: 40 }, (_, i) => open('cache', 'memory:', 'fault', `ping:drop@${i + 1}%`));
    for (const store of stores) store.epoch();
    for (const store of stores) store.drain(30000); // blocks this thread
    await last;
    console.log(lines.at(-1));
  }, '8 lines of the log dropped: there were too many at once\n', LOUD));

test('a function that throws stops nothing, and what it was given is seen', async () => {
  const { stderr, code } = await run(async ({ open, setLog }) => {
    setLog(() => {
      throw new Error('full');
    });
    await open('cache', 'memory:', 'fault', 'ping:drop').epoch();
    await new Promise((resolve) => setImmediate(resolve));
  }, LOUD);
  assert.match(stderr, /^larder: FAULTS ARE ON: .*\n$/);
  assert.equal(code, 0);
});

test('a trace of a request ends with its delivery', () =>
  runsWell(async ({ open, entry, setLog }) => {
    const heard = new Promise((resolve) => setLog((level, text) => level === 'debug' && resolve(text)));
    const store = open('cache', 'memory:', 'trace', 'hello');
    await store.put(entry({ key: '/other' }));
    await store.get(1, 'b1', '/blog/hello', ['posts'], 0);
    const lines = (await heard).split('\n');
    console.log(lines[0]);
    console.log(lines.slice(1).map((line) => line.replace(/^ +\d+ us  /, '')).filter((step) => !/ is answered after /.test(step)).join('; '));
  }, 'trace: get page "/blog/hello" of build "b1" tag "posts"\n' +
    'queued; begun; entry: the store is asked; marks: asked for (the namespace, 1 of the request, 0 expected); ' +
    "entry: not there; marks: the namespace has none, so all that is stored is gone: it is made; " +
    "marks: read, 0 found besides the namespace's; answered: miss; delivered\n", LOUD));

test('a build whose store is not there says that once, and nothing else', async (t) => {
  const dist = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-log-'));
  t.after(() => fs.rmSync(dist, { recursive: true }));
  const env = { LARDER_LOG: '', LARDER_CACHE: 'fs:/proc/larder', NEXT_PHASE: 'phase-production-build' };
  const program = () => require(process.env.TEST_BUILD).record(process.cwd(), true);
  const { stderr, code } = await run(program, { env: { ...env, TEST_BUILD: require.resolve('../lib/build.js') }, cwd: dist });
  assert.match(stderr, /^larder: the store does not answer; this build does without it[^\n]*\n$/);
  assert.equal(code, 0);
});
