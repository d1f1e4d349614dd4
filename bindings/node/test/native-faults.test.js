'use strict';
/* Every allocation of the addon and the core fails once: nothing crashes, hangs, leaks or lies. */
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const { runsWell, builtForTests, native, sanitizer } = require('./support/native.js');

native.load();
const shim = builtForTests('failing.so');
const skip = sanitizer ? 'a sanitizer has an allocator of its own' : shim ? false : 'test-drivers/failing.so is not built';

test('one allocation fails, whichever it is', { skip }, async (t) => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'larder-failing-')), 'control');
  fs.writeFileSync(file, Buffer.alloc(24));
  try {
    await runsWell(
      // In a worker, so that all of its stores are closed when what is left is counted.
      async ({ start, ended, native }) => {
        const { live } = native.load();
        const worker = start(async ({ native, open, entry }) => {
          native.load();
          const NOMEM = -10;
          const RETRY = -1; // what the core makes of a tag store that could not answer
          const fs = require('node:fs');
          const fd = fs.openSync(process.env.TEST_FAILING, 'r+');
          const control = Buffer.alloc(24);
          const fired = () => fs.readSync(fd, control, 0, 24, 0) && control.readBigInt64LE(8) > 0n;
          const arm = (left, round) => {
            control.writeBigInt64LE(BigInt(left), 0);
            control.writeBigInt64LE(0n, 8);
            control.writeBigInt64LE(BigInt(round), 16);
            fs.writeSync(fd, control, 0, 24, 0);
          };
          const parts = ['x'.repeat(5000), '漢'.repeat(3000), Buffer.alloc(9000, 'y'), Buffer.from('z')];
          const key = 'k'.repeat(3000); // longer than what is read without an allocation
          const long = 't'.repeat(700);

          async function scenario(namespace, expected) {
            let store;
            try {
              store = open('cache', 'memory:', 'namespace', namespace, 'get-deadline', '60s', 'write-deadline', '60s');
            } catch (error) {
              if (!/memory|thread could not be started/.test(error.message)) throw error;
              return;
            }
            const { status, known } = await store.epoch();
            const put = await store.put(entry({ key, epoch: known, tags: ['a', long], meta: '{"é漢":1}', parts, names: ['1', '2', '3', '4'] }));
            const got = await store.get(1, 'build', key, ['b'], native.FLAG.RENDER);
            const answers = [
              status,
              put.status,
              got.verdict,
              (await store.check(['b'], store.known())).verdict,
              (await store.revalidate([long])).status,
              (await store.get(1, 'build', key, null, 0)).verdict,
              (await store.remove(1, 'build', key)).status,
            ];
            if (expected && answers.join() !== expected) throw new Error(`without a failure: ${answers}`);
            const allowed = [0, NOMEM, RETRY, native.FRESH, native.GONE];
            if (answers.some((answer) => !allowed.includes(answer))) throw new Error(`${namespace}: ${answers}`);
            if (got.verdict === native.FRESH) require('node:assert').deepStrictEqual([got.parts, got.meta], [parts, '{"é漢":1}']);
          }

          let n = 1;
          for (; ; n++) {
            arm(n, n);
            await scenario(`failing-${n}`);
            if (!fired()) break;
          }
          arm(0, n);
          await scenario('in-peace', '0,0,1,1,0,3,0');
          if (n < 100) throw new Error(`only ${n} allocations failed`);
        });
        const code = await ended(worker);
        console.log(code, live().slice(0, 4).join());
      },
      '0 0,0,0,0\n',
      { env: { LD_PRELOAD: shim, TEST_FAILING: file } },
    );
  } finally {
    fs.rmSync(path.dirname(file), { recursive: true });
  }
});
