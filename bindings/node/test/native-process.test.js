'use strict';
/* What the addon does to the life of a process: each program runs in one of its own. */
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const { run, runsWell, addonFile, slowDriver, native } = require('./support/native.js');

native.load();
const noSlow = slowDriver() ? false : 'test-drivers/slow.so is not built';

test('loading alone keeps no process alive', () => runsWell(({ native }) => native.load()));

test('an open, idle store keeps no process alive', () =>
  runsWell(async ({ open }) => {
    const store = open('cache', 'memory:');
    console.log((await store.get(1, 'b', 'k', null, 0)).verdict);
  }, '0\n'));

test('a process that runs is seen from outside, and nothing is left of it', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-live-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  await runsWell(
    async ({ open, start, ended }) => {
      const fs = require('node:fs');
      const net = require('node:net');
      const { TEST_FOLDER: folder } = process.env;
      const settings = ['cache', 'memory:', 'live', folder];
      await open(...settings).get(1, 'b', 'k', null, 0);
      /* A worker with the same settings has the same store. */
      await ended(start((kit, arg) => void kit.open(...arg), settings));
      const sockets = () => fs.readdirSync(folder).filter((name) => name.endsWith('.sock'));
      while (sockets().length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      const client = net.connect(`${folder}/${sockets()[0]}`);
      client.write('metrics\n');
      let text = '';
      for await (const data of client) text += data;
      const { pid, stats } = JSON.parse(text);
      console.log(sockets().length, pid === process.pid, stats.misses);
    },
    '1 true 1\n',
    { env: { TEST_FOLDER: folder } },
  );
  assert.deepEqual(fs.readdirSync(folder), []);
});

test('a call that is under way keeps the process alive until its answer', { skip: noSlow }, () =>
  runsWell(async ({ open, slow }) => {
    const store = open('cache', slow, 'cache.delay', '300ms');
    console.log((await store.get(1, 'b', 'k', null, 0)).verdict);
    await new Promise((resolve) => setImmediate(resolve));
    console.log((await store.remove(1, 'b', 'k')).status);
  }, '0\n0\n'));

test('what takes too long is answered at the deadline, and the process ends', { skip: noSlow }, () =>
  runsWell(async ({ open, slow, entry }) => {
    const store = open('cache', slow, 'cache.delay', '1h', 'get-deadline', '50ms', 'write-deadline', '50ms');
    console.log((await store.get(1, 'b', 'k', null, 0)).verdict);
    console.log((await store.put(entry({ parts: [Buffer.alloc(100000)] }))).status);
  }, '-3\n-3\n'));

test('process.exit() with calls under way', { skip: noSlow }, () =>
  runsWell(
    ({ open, slow }) => {
      const store = open('cache', slow, 'cache.delay', '1h', 'get-deadline', '1min');
      for (let i = 0; i < 100; i++) store.get(1, 'b', `k${i}`, ['t'], 0).then(() => console.log('answered'));
      setImmediate(() => process.exit(3));
    },
    '',
    { code: 3, exits: true },
  ));

test('process.exit() while answers are coming in', async () => {
  for (const ms of [0, 3, 10, 25, 40]) {
    await runsWell(
      ({ open }) => {
        const store = open('cache', 'memory:');
        const again = () => store.get(1, 'b', 'k', ['t'], 16).then(again);
        for (let i = 0; i < 64; i++) again();
        setTimeout(() => process.exit(3), Number(process.env.TEST_MS));
      },
      '',
      { code: 3, exits: true, env: { TEST_MS: `${ms}` } },
    );
  }
});

test('a call made in an exit handler does no harm', () =>
  runsWell(({ open, entry }) => {
    const store = open('cache', 'memory:');
    process.on('exit', () => {
      store.get(1, 'b', 'k', null, 0);
      store.put(entry({ parts: [Buffer.alloc(1000000), 'x'.repeat(1000000)] }));
      console.log(store.drain(10000));
    });
  }, 'true\n'));

test('an uncaught exception is the program’s own', async () => {
  const { code, signal, stderr } = await run(
    async ({ open }) => {
      await open('cache', 'memory:').get(1, 'b', 'k', null, 0);
      throw new Error('the program’s own');
    },
    { exits: true },
  );
  assert.equal(signal, null);
  assert.equal(code, 1);
  assert.match(stderr, /the program’s own/);
});

test('each promise keeps its asynchronous context', () =>
  runsWell(async ({ open }) => {
    const { AsyncLocalStorage } = require('node:async_hooks');
    const request = new AsyncLocalStorage();
    const store = open('cache', 'memory:');
    const contexts = [1, 2, 3].map((i) =>
      request.run(i, async () => {
        await store.get(1, 'b', 'k', null, 0);
        return request.getStore();
      }),
    );
    console.log((await Promise.all(contexts)).join());
  }, '1,2,3\n'));

test('the file evaluated twice still has one way for answers', () =>
  runsWell(async ({ open }) => {
    const first = open('cache', 'memory:', 'namespace', 'one');
    const file = Object.keys(require.cache).find((name) => name.endsWith('native.js'));
    delete require.cache[file];
    const second = require(file).open([
      ['cache', 'memory:', 'the test'],
      ['namespace', 'two', 'the test'],
    ]);
    const answers = [first.get(1, 'b', 'k', null, 0), second.get(1, 'b', 'k', null, 0), first.check(['t'], 1)];
    console.log((await Promise.all(answers)).map(({ verdict }) => verdict).join());
  }, '0,0,3\n'));

test('the module’s own functions refuse the wrong order', () =>
  runsWell(({ native, open }) => {
    const addon = native.load();
    const thrown = (fn) => {
      try {
        return `${fn()}`;
      } catch (error) {
        return error.message;
      }
    };
    console.log(thrown(() => addon.open(['cache', 'memory:', 'the test'])));
    console.log(thrown(() => addon.connect(5)));
    open('cache', 'memory:');
    console.log(thrown(() => addon.connect(() => {})));
  }, 'connect() comes before open()\n' + 'larder: this environment cannot be called back, or is already\n'.repeat(2)));

test('where no external memory is taken, values are copies and known() is a call', () =>
  runsWell(async ({ native, open, entry }) => {
    native.load().copyAlways();
    const store = open('cache', 'memory:', 'get-deadline', '60s', 'write-deadline', '60s');
    const { known } = await store.epoch();
    const parts = ['a'.repeat(100000), 'é'.repeat(100000), '漢\ud800'.repeat(50000), Buffer.alloc(100000, 'b'), Buffer.from('c')];
    await store.put(entry({ epoch: known, parts }));
    const got = await store.get(1, 'build', 'a key', null, 0);
    require('node:assert').deepStrictEqual(got.parts, parts);
    console.log(store.known() === known, native.load().live()[0]);
  }, 'true 0\n'));

test('the addon is found from the application where a bundler has moved the file', async () => {
  const app = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-bundled-'));
  try {
    const home = path.join(app, 'node_modules', 'larder');
    const prebuild = path.join(home, 'prebuilds', `${process.platform}-${process.arch}`);
    fs.mkdirSync(prebuild, { recursive: true });
    fs.writeFileSync(path.join(home, 'package.json'), '{"name":"larder"}');
    fs.symlinkSync(addonFile(), path.join(prebuild, 'larder.node'));
    fs.mkdirSync(path.join(app, '.next'));
    fs.copyFileSync(require.resolve('../lib/native.js'), path.join(app, '.next', 'bundled.js'));
    await runsWell(() => console.log(require('./.next/bundled.js').load() !== null), 'true\n', {
      cwd: app,
      env: { LARDER_NODE_ADDON: '' },
    });
  } finally {
    fs.rmSync(app, { recursive: true });
  }
});

test('an addon that cannot be loaded is said once, and open() throws', async () => {
  const { code, stdout, stderr } = await run(
    ({ native, open }) => {
      console.log(native.load(), native.load());
      try {
        open('cache', 'memory:');
      } catch (error) {
        console.log(error.message);
      }
    },
    { env: { LARDER_LOG: 'warn', LARDER_NODE_ADDON: '/nowhere/larder.node' } },
  );
  assert.equal(code, 0);
  assert.equal(stdout, 'null null\nlarder: the native module is not loaded\n');
  assert.equal(stderr.trim().split('\n').length, 1);
  assert.match(stderr, /^larder: the native module cannot be loaded.*\/nowhere\/larder\.node.*LARDER_NODE_ADDON/);
});

test('a file that is no addon is said once as well', async () => {
  const { code, stdout, stderr } = await run(({ native }) => console.log(native.load()), {
    env: { LARDER_LOG: 'warn', LARDER_NODE_ADDON: `${__filename}on` },
  });
  assert.equal(code, 0);
  assert.equal(stdout, 'null\n');
  assert.equal(stderr.trim().split('\n').length, 1);
});

test('the edge runtime loads nothing', async () => {
  const { code, stdout, stderr } = await run(({ native }) => console.log(native.load()), {
    env: { LARDER_LOG: 'warn', NEXT_RUNTIME: 'edge' },
  });
  assert.equal(code, 0);
  assert.equal(stdout, 'null\n');
  assert.match(stderr, /edge/);
});
