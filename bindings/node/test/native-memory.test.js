'use strict';
/* Values that are handed over uncopied are given back, and do not pile up. */
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { native, openMemory, entry, roundTrip, collectUntil, sanitizer } = require('./support/native.js');

const addon = native.load();
const externals = () => addon.live()[0];
const buffers = () => addon.live()[1];

test('an entry holds its memory for as long as one of its values lives, and no longer', async () => {
  const store = openMemory();
  const parts = ['a'.repeat(100000), '漢'.repeat(100000), Buffer.alloc(100000, 'b'), Buffer.alloc(50, 'c')];
  await roundTrip(store, { parts });
  assert.ok(await collectUntil(() => externals() === 0));
  const [, before] = addon.live();

  let got = await store.get(native.KIND.PAGE, 'build', 'a key', null, 0);
  assert.equal(externals(), 3);
  assert.ok(buffers() > before);
  let one = got.parts[3];
  got = undefined;
  assert.ok(await collectUntil(() => externals() === 1), 'the texts go, the block stays');
  await store.remove(native.KIND.PAGE, 'build', 'a key');
  assert.equal(one.toString(), 'c'.repeat(50));
  one = undefined;
  assert.ok(await collectUntil(() => externals() === 0));
});

test('small values are copies', async () => {
  const store = openMemory();
  const got = await roundTrip(store, { parts: ['a'.repeat(4000), '漢'.repeat(2000), Buffer.alloc(8000)] });
  assert.equal(externals(), 0);
  assert.equal(got.parts.length, 3);
});

test('a text sliced out of an external one keeps it alive', async () => {
  const store = openMemory();
  let got = await roundTrip(store, { parts: ['head ' + 'a'.repeat(100000)] });
  let slice = got.parts[0].slice(0, 4000);
  got = undefined;
  await collectUntil(() => externals() === 0);
  assert.equal(slice, 'head ' + 'a'.repeat(3995));
  slice = undefined;
  assert.ok(await collectUntil(() => externals() === 0));
});

const BOUND_MB = 400;

// Uncollected, the first would be 6 GB and the others 1.5 GB.
for (const [name, part, times] of [
  ['a Latin-1 text', 'a'.repeat(300000), 20000],
  ['a UTF-16 text', '漢'.repeat(150000), 5000],
  ['a Buffer', Buffer.alloc(300000, 'b'), 5000],
]) {
  const gets = sanitizer ? 500 : times;
  test(`${gets} gets of 300 KB, ${name}: memory stays bounded`, async () => {
    const store = openMemory([['compress', 'off']]);
    await roundTrip(store, { parts: [part] });
    await collectUntil(() => externals() === 0);
    const before = process.memoryUsage.rss();
    let most = 0;
    const client = async () => {
      for (let i = 0; i < gets / 16; i++) {
        const got = await store.get(native.KIND.PAGE, 'build', 'a key', null, 0);
        assert.equal(got.verdict, native.FRESH);
        if (i % 50 === 0) most = Math.max(most, process.memoryUsage.rss());
      }
    };
    await Promise.all(Array.from({ length: 16 }, client));
    // The sanitizers' own memory is no measure.
    if (!sanitizer) assert.ok(most - before < BOUND_MB * 1e6, `grew by ${Math.round((most - before) / 1e6)} MB`);
    assert.ok(await collectUntil(() => externals() === 0));
  });
}

test('puts give back what they hold', async () => {
  const store = openMemory();
  const before = buffers();
  for (let round = 0; round < 50; round++) {
    await Promise.all(
      Array.from({ length: 8 }, (_, i) => store.put(entry({ key: `k${i}`, parts: ['x'.repeat(100000), Buffer.alloc(100000)] }))),
    );
  }
  for (let i = 0; i < 8; i++) await store.remove(native.KIND.PAGE, 'build', `k${i}`);
  assert.ok(await collectUntil(() => buffers() <= before));
});
