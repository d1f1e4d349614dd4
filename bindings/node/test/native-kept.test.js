'use strict';
/* What the addon tells of trust, and handlers that answer from it, on the real store. */
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: passed } = require('node:timers/promises');
const { native, openMemory, entry, roundTrip, runsWell } = require('./support/native.js');
const { state, reset, clock, SYMBOL } = require('../lib/state.js');
const { LarderHandler } = require('../lib/handler.js');

const HOUR_MS = 3_600_000;
const TRUSTING = [
  ['mark-age', '1h'],
  ['memory-age', '1h'],
];

test('an answer tells until when it may be given again, where marks are trusted', async () => {
  const before = clock();
  const got = await roundTrip(openMemory(TRUSTING), { parts: ['é'.repeat(5000), Buffer.alloc(7)], meta: 'meta' });
  assert.ok(got.trusted > before && got.trusted <= clock() + HOUR_MS);
  assert.ok(got.trusted >= before + HOUR_MS - 60_000);
  assert.equal(got.bytes, 5000 + 7 + 4);
  assert.equal((await roundTrip(openMemory(), {})).trusted, 0);
});

test('an entry that is due sooner is trusted for so long', async () => {
  const got = await roundTrip(openMemory(TRUSTING), { modified: Date.now(), revalidate: 50_000 });
  assert.ok(got.trusted <= clock() + 50_000);
});

test('what may be kept comes of mark-age, memory and memory-share', async () => {
  assert.equal(openMemory().kept, undefined);
  assert.equal(openMemory([...TRUSTING, ['memory', '0']]).kept, undefined);
  for (const share of ['texts', 'all']) {
    const store = openMemory([...TRUSTING, ['memory-share', share]]);
    const got = await roundTrip(store, {});
    store.kept.keep(1, '', 'k', [], store.kept.token(), got, { buffer: Buffer.from('b') });
    const [one, other] = [1, 2].map(() => store.kept.find(1, '', 'k', []).value.buffer);
    assert.equal(one === other, share === 'all');
  }
});

test('P1: the cell moves before a revalidation is answered, in all environments of the process', async () => {
  await runsWell(async ({ open, start, ended }) => {
    const settings = ['cache', 'memory:', 'namespace', 'cell', 'mark-age', '1h'];
    const store = open(...settings);
    const token = store.kept.token();
    await store.revalidate(['t']);
    const moved = store.kept.token();
    await ended(start(({ open }, list) => open(...list).revalidate(['t']), settings));
    console.log(moved > token, store.kept.token() > moved);
  }, 'true true\n');
});

test('P1: where no external memory is taken, the cell is asked for', async () => {
  await runsWell(async ({ native, open }) => {
    native.load().copyAlways();
    const store = open('cache', 'memory:', 'mark-age', '1h');
    const token = store.kept.token();
    await store.revalidate(['t']);
    console.log(store.kept.token() > token);
  }, 'true\n');
});

test('puts and removes of this environment are seen, also by gets that were under way', async () => {
  const store = openMemory(TRUSTING);
  const got = await roundTrip(store, {});
  const kept = () => store.kept.find(1, 'build', 'a key', []) !== undefined;
  const keep = (token) => store.kept.keep(1, 'build', 'a key', [], token, got, {});
  for (const write of [() => store.put(entry({ epoch: got.epoch })), () => store.remove(1, 'build', 'a key')]) {
    const before = store.kept.token();
    keep(before);
    assert.ok(kept());
    const written = write();
    assert.ok(!kept(), 'when it begins');
    keep(before);
    assert.ok(!kept());
    keep(store.kept.token());
    assert.ok(kept());
    await written;
    assert.ok(!kept(), 'and when it is answered');
  }
});

const PAGE = { kind: 'APP_PAGE', isRoutePPREnabled: false, isFallback: false };
const SET = { cacheControl: { revalidate: 600, expire: 3600 }, isRoutePPREnabled: false, isFallback: false };
const AGE_MS = 100;

/** A process of its own, as far as a store can tell: other settings are another store. */
function processOn(dir, deadline) {
  reset();
  const store = native.open(
    Object.entries({
      cache: `fs:${dir}`,
      'mark-age': `${AGE_MS}ms`,
      'get-deadline': deadline,
      'write-deadline': '60s',
    }).map(([name, value]) => [name, value, 'the test']),
  );
  state().store = store;
  const own = state();
  return { store, enter: () => (globalThis[SYMBOL] = own) };
}

test('P1: two processes: one answers by itself what the other revalidates, no longer than mark-age', async (t) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-native-kept-'));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  t.after(reset);
  const a = processOn(dir, '60s');
  const request = () => new LarderHandler({ dev: true });
  const value = {
    kind: 'APP_PAGE',
    html: 'h'.repeat(20_000),
    rscData: Buffer.alloc(10_000, 'r'),
    headers: { 'x-next-cache-tags': 't' },
    status: 200,
  };
  // A process that has just begun renders twice what it renders within mark-age.
  for (let i = 0; i < 100; i++) {
    const h = request();
    if ((await h.get('/x', PAGE)) !== null) break;
    await passed(AGE_MS);
    await h.get('/x', PAGE);
    await h.set('/x', value, SET);
  }
  let hits = 0;
  for (let i = 0; i < 20; i++) {
    const { value: again } = await request().get('/x', PAGE);
    assert.deepEqual(again, value);
    again.rscData.fill(0);
    hits++;
  }
  const { gets, memoryHits } = a.store.stats();
  assert.ok(hits === 20 && gets >= 20 && memoryHits > 0, 'they are counted');

  processOn(dir, '61s');
  await request().revalidateTag('t');
  a.enter();
  await passed(AGE_MS + 1);
  assert.equal(await request().get('/x', PAGE), null);
});
