'use strict';
/* Values that are handed over uncopied are given back, and do not pile up. */
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { PerformanceObserver, constants } = require('node:perf_hooks');
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

/** A store on files that keeps nothing in memory: each get has texts of its own. */
function openFiles(t) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-memory-'));
  t.after(() => fs.rmSync(dir, { recursive: true }));
  return openMemory([['memory', '0']], `fs:${dir}`);
}

test('V8 is told of the texts beyond 64 MB', async (t) => {
  const MB = 1 << 20;
  const store = openFiles(t);
  await roundTrip(store, { parts: ['a'.repeat(MB)] });
  assert.ok(await collectUntil(() => externals() === 0));
  let held = [];
  let each;
  for (let i = 1; i <= 70; i++) {
    held.push(await store.get(native.KIND.PAGE, 'build', 'a key', null, 0));
    const [, , bytes, told] = addon.live();
    each ??= bytes;
    assert.ok(each >= MB && each < MB + 1000, `${each}: all that is held, which is the text and what describes it`);
    assert.equal(bytes, i * each);
    const over = Math.max(0, bytes - 64 * MB);
    assert.ok(told <= over && over - told < MB, `${told} of ${over}`);
  }
  assert.equal(held[69].parts[0].length, MB);
  held = [];
  assert.ok(await collectUntil(() => externals() === 0));
  assert.deepEqual(addon.live().slice(2, 4), [0, 0]);
});

test('a text that several strings share counts once', async () => {
  const store = openMemory([['memory', '10MB']]);
  await roundTrip(store, { parts: ['a'.repeat(100000), '漢'.repeat(50000)] });
  assert.ok(await collectUntil(() => externals() === 0));
  const get = () => store.get(native.KIND.PAGE, 'build', 'a key', null, 0);
  await get(); // reads it, if it was not yet in memory as it is handed out
  assert.ok(await collectUntil(() => externals() === 0));
  let held = await Promise.all([get(), get(), get()]);
  assert.equal(externals(), 6);
  // What is stored, 100,000 and 150,000 bytes and what describes them; and the UTF-16 of the second.
  const [, , bytes] = addon.live();
  assert.ok(bytes > 350000 && bytes < 351000, `${bytes} bytes`);
  assert.equal(held[0].parts[1], held[2].parts[1]);
  held = held.slice(1, 2);
  assert.ok(await collectUntil(() => externals() === 2));
  assert.equal(addon.live()[2], bytes);
  held = [];
  assert.ok(await collectUntil(() => externals() === 0));
  assert.equal(addon.live()[2], 0);
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

// Read from files, each time anew.  Uncollected, it would be 900 MB.
for (const [name, part] of [
  ['a Latin-1 text', 'a'.repeat(300000)],
  ['a UTF-16 text', '漢'.repeat(150000)],
  ['a Buffer', Buffer.alloc(300000, 'b')],
]) {
  const gets = sanitizer ? 480 : 3000;
  test(`${gets} gets of 300 KB, ${name}: memory stays bounded`, async (t) => {
    const store = openFiles(t);
    await roundTrip(store, { parts: [part] });
    assert.ok(await collectUntil(() => externals() === 0));
    const before = process.memoryUsage.rss();
    let most = 0;
    const client = async () => {
      for (let i = 0; i < gets / 16; i++) {
        const got = await store.get(native.KIND.PAGE, 'build', 'a key', null, 0);
        assert.equal(got.verdict, native.FRESH);
        if (i % 10 === 0) most = Math.max(most, process.memoryUsage.rss());
      }
    };
    await Promise.all(Array.from({ length: 16 }, client));
    // The sanitizers' own memory is no measure.
    if (!sanitizer) assert.ok(most - before < BOUND_MB * 1e6, `grew by ${Math.round((most - before) / 1e6)} MB`);
    assert.ok(await collectUntil(() => externals() === 0));
    assert.deepEqual(addon.live().slice(2, 4), [0, 0]);
  });
}

const noNudge = Number.parseInt(process.versions.node, 10) >= 24 && 'Node.js 24 counts otherwise';
test('Buffers go with the collections of young objects', { skip: sanitizer ? 'too slow' : noNudge }, async (t) => {
  const store = openFiles(t);
  await roundTrip(store, { parts: [Buffer.alloc(300000, 'b')] });
  const collections = { whole: 0, young: 0 };
  const observer = new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries())
      collections[detail.kind === constants.NODE_PERFORMANCE_GC_MINOR ? 'young' : 'whole']++;
  });
  observer.observe({ entryTypes: ['gc'] });
  const client = async () => {
    for (let i = 0; i < 150; i++) await store.get(native.KIND.PAGE, 'build', 'a key', null, 0);
  };
  await Promise.all(Array.from({ length: 16 }, client)); // 720 MB: 11 and more collections of the whole heap without
  await new Promise((resolve) => setTimeout(resolve, 100));
  observer.disconnect();
  assert.ok(collections.young >= 10 && collections.whole <= 5, JSON.stringify(collections));
});

test('V8 is told of all that a text keeps: the binary parts, where they lie in one memory with it', async (t) => {
  const store = openFiles(t);
  await roundTrip(store, { parts: ['a'.repeat(10000), Buffer.alloc(300000)] });
  assert.ok(await collectUntil(() => externals() === 0));
  const text = (await store.get(native.KIND.PAGE, 'build', 'a key', null, 0)).parts[0];
  assert.ok(addon.live()[2] > 310000);
  assert.equal(text.length, 10000);
});

// A string is freed by a mark-compact alone, which may be far away: that holds its text, and nothing else of its answer.
test('pages from memory: their binary parts go with their Buffers', async () => {
  const gets = 300;
  const store = openMemory();
  await roundTrip(store, { parts: ['a'.repeat(100000), Buffer.alloc(100000)] });
  const get = () => store.get(native.KIND.PAGE, 'build', 'a key', null, 0);
  await get();
  assert.ok(await collectUntil(() => externals() === 0));
  const before = buffers();
  const texts = [];
  for (let i = 0; i < gets; i++) texts.push((await get()).parts[0]);
  assert.ok(await collectUntil(() => externals() === gets), 'each Buffer goes, its text is still there');
  assert.ok(buffers() - before <= 1, `${buffers() - before} buffers more`);
  assert.equal(texts.length, gets);
});

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
