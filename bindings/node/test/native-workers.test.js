'use strict';
/* Worker threads: an environment each, one process, and any of them may go away at any time. */
const { test } = require('node:test');
const { runsWell, slowDriver, native } = require('./support/native.js');

native.load();
const noSlow = slowDriver() ? false : 'test-drivers/slow.so is not built';

test('several workers at once, each with calls of its own', () =>
  runsWell(async ({ start, ended }) => {
    const workers = [1, 2, 3, 4].map((number) =>
      start(async ({ open, entry, native }, number) => {
        const store = open('cache', 'memory:', 'namespace', `own-${number}`);
        for (let n = 0; n < 200; n++) {
          const { known } = await store.epoch();
          const parts = ['x'.repeat(n * 50), Buffer.alloc(n * 100, n)];
          await store.put(entry({ key: `k${n}`, epoch: known, parts }));
          const got = await store.get(native.KIND.PAGE, 'build', `k${n}`, ['a'], 0);
          const same = got.parts[0] === parts[0] && got.parts[1].equals(parts[1]);
          if (got.verdict !== native.FRESH || !same) throw new Error(`not what was put: ${n}`);
        }
      }, number),
    );
    console.log((await Promise.all(workers.map(ended))).join());
  }, '0,0,0,0\n'));

test('the same settings are one store over workers, open for as long as one uses it', () =>
  runsWell(async ({ start, said, ended, open }) => {
    const writer = start(async ({ open, entry, parentPort }) => {
      await open('cache', 'memory:', 'namespace', 'one').put(entry({ meta: 'from a worker' }));
      parentPort.postMessage('');
      parentPort.on('message', () => parentPort.close());
    });
    await said(writer);
    const reader = async ({ open, parentPort }, namespace) => {
      const got = await open('cache', 'memory:', 'namespace', namespace).get(1, 'build', 'a key', null, 8);
      parentPort.postMessage(got.meta ?? got.verdict);
    };
    console.log(await said(start(reader, 'one')));
    console.log(await said(start(reader, 'two')));
    const store = open('cache', 'memory:', 'namespace', 'one');
    const end = ended(writer);
    writer.postMessage('end');
    await end;
    console.log((await store.get(1, 'build', 'a key', null, 8)).meta);
  }, 'from a worker\n0\nfrom a worker\n'));

test('known() of one worker is known() of all', () =>
  runsWell(async ({ start, said, open }) => {
    const store = open('cache', 'memory:');
    const { epoch } = await store.revalidate(['t']);
    const told = await said(start(({ open, parentPort }) => parentPort.postMessage(open('cache', 'memory:').known())));
    console.log(told === epoch, store.known() === epoch);
  }, 'true true\n'));

test('terminate() with gets under way', { skip: noSlow }, () =>
  runsWell(async ({ start, said }) => {
    for (let i = 0; i < 3; i++) {
      const worker = start(({ open, slow, parentPort }) => {
        const store = open('cache', slow, 'cache.delay', '1h', 'get-deadline', '300ms');
        for (let n = 0; n < 100; n++) store.get(1, 'b', `k${n}`, ['t'], 0);
        parentPort.postMessage('');
        setInterval(() => {}, 1000);
      });
      await said(worker);
      await worker.terminate();
    }
    globalThis.gc();
  }));

test('terminate() with puts under way: their memory stays until the core has done with it', { skip: noSlow }, () =>
  runsWell(async ({ start, said }) => {
    for (let i = 0; i < 3; i++) {
      const worker = start(({ open, slow, entry, parentPort }) => {
        const store = open('cache', slow, 'cache.delay', '1h', 'write-deadline', '200ms');
        for (let n = 0; n < 20; n++) store.put(entry({ key: `k${n}`, parts: [Buffer.alloc(300000, n), 'x'.repeat(100000)] }));
        parentPort.postMessage('');
        setInterval(() => {}, 1000);
      });
      await said(worker);
      await worker.terminate();
    }
  }));

test('terminate() while answers are coming in', () =>
  runsWell(async ({ start, said, pause }) => {
    for (let i = 0; i < 10; i++) {
      const worker = start(({ open, entry, parentPort }) => {
        const store = open('cache', 'memory:');
        const again = async (n) => {
          await store.put(entry({ key: `k${n}`, parts: [Buffer.alloc(20000), 'y'.repeat(20000)] }));
          await store.get(1, 'build', `k${n}`, ['t'], 8);
          again(n);
        };
        for (let n = 0; n < 16; n++) again(n);
        setTimeout(() => parentPort.postMessage(''), 5);
      });
      await said(worker);
      await pause(i);
      await worker.terminate();
    }
  }));

test('process.exit() in a worker with calls under way', () =>
  runsWell(async ({ start, ended }) => {
    const codes = [];
    for (let i = 0; i < 5; i++) {
      const worker = start(({ open, entry }) => {
        const store = open('cache', 'memory:');
        for (let n = 0; n < 50; n++) {
          store.get(1, 'b', 'k', ['t'], 16);
          store.put(entry({ parts: [Buffer.alloc(50000)] }));
        }
        process.exit(7);
      });
      codes.push(await ended(worker));
    }
    console.log(codes.join());
  }, '7,7,7,7,7\n'));

test('an addon that only workers loaded outlives them', { skip: noSlow }, () =>
  runsWell(async ({ start, ended, pause }) => {
    for (let i = 0; i < 3; i++) {
      const worker = start(({ open, slow }) => {
        // Longer than the environment waits for its store: it is closed behind the worker's back.
        const store = open('cache', slow, 'cache.delay', '1h', 'get-deadline', '1500ms');
        for (let n = 0; n < 10; n++) store.get(1, 'b', `k${n}`, null, 0);
        setImmediate(() => process.exit(0));
      });
      await ended(worker);
      globalThis.gc();
    }
    await pause(700);
  }));

test('a worker that ends with external values alive', () =>
  runsWell(async ({ start, ended, native }) => {
    for (let i = 0; i < 3; i++) {
      const worker = start(async ({ open, entry }) => {
        const store = open('cache', 'memory:');
        globalThis.kept = [];
        await store.put(entry({ parts: ['x'.repeat(100000), 'é漢'.repeat(50000), Buffer.alloc(100000)] }));
        for (let n = 0; n < 20; n++) globalThis.kept.push(await store.get(1, 'build', 'a key', null, 8));
        if (globalThis.kept[19].parts[2].length !== 100000) throw new Error('not what was put');
      });
      await ended(worker);
    }
    console.log(native.load().live()[0]);
  }, '0\n'));
