'use strict';
/* The cacheHandler on the fake store: epochs, kinds, tags, failures. */
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { FakeStore, Table, fakeNative, KIND } = require('./fake-native.js');
const { state, reset } = require('../lib/state.js');
const { LarderHandler, tagsOf, lifeMs } = require('../lib/handler.js');

/** A process: its own knowledge, and a table that it may share. */
function setup(t, table) {
  reset();
  delete process.env.NEXT_PHASE;
  const store = new FakeStore({ table });
  state().native = fakeNative(store);
  const warned = [];
  t.mock.method(console, 'warn', (line) => warned.push(line));
  t.after(reset);
  return { store, warned };
}

function dist(t) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-handler-'));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  fs.mkdirSync(path.join(dir, 'server'));
  fs.writeFileSync(path.join(dir, 'BUILD_ID'), 'build-1\n');
  return path.join(dir, 'server');
}

const PAGE = { kind: 'APP_PAGE', isRoutePPREnabled: false, isFallback: false };
const SET = { cacheControl: { revalidate: 60, expire: 3600 }, isRoutePPREnabled: false, isFallback: false };
const page = (html, tags = 't') => ({
  kind: 'APP_PAGE',
  html,
  rscData: Buffer.from('r'),
  headers: { 'x-next-cache-tags': tags },
  status: 200,
});

test('the constructor opens nothing', (t) => {
  const { store } = setup(t);
  new LarderHandler({ serverDistDir: dist(t) });
  assert.equal(state().store, undefined);
  assert.deepEqual(store.calls, []);
});

test('the store is told once which build runs, not before the first request is answered', async (t) => {
  const { store } = setup(t);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const serverDistDir = dist(t);
  for (let i = 0; i < 2; i++) await new LarderHandler({ serverDistDir }).get('/x', PAGE);
  assert.deepEqual(
    store.calls.map(([m]) => m),
    ['get', 'get'],
  );
  t.mock.timers.tick(1000);
  assert.deepEqual(store.calls.slice(2), [['noteBuild', 'build-1']]);
  await new LarderHandler({ serverDistDir }).get('/x', PAGE);
  t.mock.timers.tick(1000);
  assert.equal(store.calls.filter(([m]) => m === 'noteBuild').length, 1);
});

test('neither a build nor next dev tells the store that it runs', async (t) => {
  const { store } = setup(t);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  await new LarderHandler({ serverDistDir: dist(t), dev: true }).get('/x', PAGE);
  process.env.NEXT_PHASE = 'phase-production-build';
  t.after(() => delete process.env.NEXT_PHASE);
  await new LarderHandler({ serverDistDir: dist(t) }).get('f', { kind: 'FETCH' });
  t.mock.timers.tick(1000);
  assert.ok(!store.calls.some(([m]) => m === 'noteBuild'));
});

test('a page is stored under its build, with its tags and lifetime', async (t) => {
  const { store } = setup(t);
  const h = new LarderHandler({ serverDistDir: dist(t) });
  assert.equal(await h.get('/x', PAGE), null);
  const value = page('html', 't,_N_T_/x');
  await h.set('/x', value, SET);
  const put = store.calls.find(([m]) => m === 'put')[1];
  assert.equal(put.build, 'build-1');
  assert.equal(put.kind, KIND.PAGE);
  assert.deepEqual(put.tags, ['t', '_N_T_/x']);
  assert.equal(put.revalidate, 60_000);
  assert.equal(put.expire, 3_600_000);
  assert.equal(put.epoch, 1);
  const back = await new LarderHandler({ serverDistDir: h.serverDistDir }).get('/x', PAGE);
  assert.deepEqual(back.value, value);
  assert.deepEqual(back.cacheControl, { revalidate: 60, expire: 3600 });
});

test('pages of two builds do not meet; fetches do', async (t) => {
  setup(t);
  const one = dist(t);
  const two = dist(t);
  fs.writeFileSync(path.join(two, '../BUILD_ID'), 'build-2');
  await new LarderHandler({ serverDistDir: one }).set('/x', page('1'), SET);
  assert.equal(await new LarderHandler({ serverDistDir: two }).get('/x', PAGE), null);
  const value = { kind: 'FETCH', data: { body: 'b', headers: {}, status: 200, url: '' }, revalidate: 60 };
  const get = { kind: 'FETCH', revalidate: 60, tags: ['f'], softTags: ['_N_T_/x'] };
  const h = new LarderHandler({ serverDistDir: one });
  await h.get('f'.repeat(64), get);
  await h.set('f'.repeat(64), value, { fetchCache: true, tags: ['f'] });
  assert.deepEqual((await new LarderHandler({ serverDistDir: two }).get('f'.repeat(64), get)).value, value);
});

test('a set stores the epoch its get was answered with, not one learned since', async (t) => {
  const { store } = setup(t);
  const h = new LarderHandler({ serverDistDir: dist(t) });
  await h.get('/x', PAGE);
  await store.revalidate(['t']);
  await h.set('/x', page('old'), SET);
  assert.equal(await h.get('/x', PAGE), null, 'rendered before the revalidation');
  await h.set('/x', page('new'), SET);
  assert.equal((await h.get('/x', PAGE)).value.html, 'new');
});

test('a set without a get is as old as its instance', async (t) => {
  const { store } = setup(t);
  const serverDistDir = dist(t);
  await new LarderHandler({ serverDistDir }).get('/x', PAGE);
  const before = new LarderHandler({ serverDistDir });
  await store.revalidate(['t']);
  const after = new LarderHandler({ serverDistDir });
  await before.set('/x', page('old'), SET);
  await after.set('/y', page('new'), SET);
  const h = new LarderHandler({ serverDistDir });
  assert.equal(await h.get('/x', PAGE), null);
  assert.equal((await h.get('/y', PAGE)).value.html, 'new');
});

test('a set without a get, of an instance older than any rendering, stores epoch 0', async (t) => {
  const { store } = setup(t);
  const h = new LarderHandler({ serverDistDir: dist(t) });
  await h.get('/other', PAGE);
  h.bornEpoch = 5;
  h.born -= 11 * 60_000;
  await h.set('/x', page('p'), SET);
  assert.equal(store.calls.findLast(([m]) => m === 'put')[1].epoch, 0);
});

test('a value that get returned keeps its epoch when it is set again', async (t) => {
  const { store } = setup(t);
  const serverDistDir = dist(t);
  const first = new LarderHandler({ serverDistDir });
  await first.get('/x', PAGE);
  await first.set('/x', page('p'), SET);
  // The epoch goes on, so what this get notes is more than the entry's.
  await store.revalidate(['other']);
  const h = new LarderHandler({ serverDistDir });
  const again = await h.get('/x', PAGE);
  const before = Date.now();
  await h.set('/x', again.value, { cacheControl: { revalidate: 3, expire: 30 } });
  const put = store.calls.findLast(([m]) => m === 'put')[1];
  assert.equal(put.epoch, 1);
  assert.ok(put.modified >= before, 'only its time is new');
  await store.revalidate(['t']);
  assert.equal(await h.get('/x', PAGE), null);
});

test('null is kept; set again, its epoch does not grow', async (t) => {
  const { store } = setup(t);
  const serverDistDir = dist(t);
  const ctx = { kind: 'PAGES', isFallback: false };
  const first = new LarderHandler({ serverDistDir });
  await first.get('/p/none', ctx);
  await first.set('/p/none', null, SET);
  await store.revalidate(['unrelated']);
  // It may be what a revalidation that threw stores again: there is no telling nulls apart.
  const h = new LarderHandler({ serverDistDir });
  assert.equal((await h.get('/p/none', ctx)).value, null);
  await h.set('/p/none', null, SET);
  assert.equal(store.calls.findLast(([m]) => m === 'put')[1].epoch, 1);
  await store.revalidate(['_N_T_/p/none']);
  // The next request has a handler of its own.
  const next = new LarderHandler({ serverDistDir });
  assert.equal(await next.get('/p/none', ctx), null);
  await next.set('/p/none', null, SET);
  assert.notEqual(await new LarderHandler({ serverDistDir }).get('/p/none', ctx), null);
});

test('a stale null is rendered first: it would be stale for ever', async (t) => {
  const { store } = setup(t);
  const h = new LarderHandler({ serverDistDir: dist(t) });
  await h.get('/p/none', { kind: 'PAGES' });
  await h.set('/p/none', null, SET);
  await store.revalidate(['_N_T_/p/none'], 60_000);
  assert.equal(await h.get('/p/none', { kind: 'PAGES' }), null);
  await h.set('/p/none', null, SET);
  assert.notEqual(await h.get('/p/none', { kind: 'PAGES' }), null);
});

test('two processes on one store: what one revalidated is gone for the other', async (t) => {
  const table = new Table();
  const serverDistDir = dist(t);
  setup(t, table);
  const a = state();
  const h = new LarderHandler({ serverDistDir });
  await h.get('/x', PAGE);
  await h.set('/x', page('p'), SET);
  // Another process has another state.
  reset();
  state().native = fakeNative(new FakeStore({ table }));
  const other = new LarderHandler({ serverDistDir });
  assert.equal((await other.get('/x', PAGE)).value.html, 'p');
  await other.revalidateTag('t');
  globalThis[require('../lib/state.js').SYMBOL] = a;
  assert.equal(await h.get('/x', PAGE), null);
});

test('tags: of the header, of ctx, of the value; and the path of a pages-router page', () => {
  assert.deepEqual(tagsOf(page('h', 'a,_N_T_/x'), '/x', { tags: ['b'] }), ['a', '_N_T_/x', 'b']);
  assert.deepEqual(tagsOf({ kind: 'FETCH', tags: ['a', 'b'] }, 'k', { tags: ['b', 'c'] }), ['b', 'c', 'a']);
  const key = `/route-cache/PAGES/${'0'.repeat(64)}/$/p/x`;
  assert.deepEqual(tagsOf({ kind: 'PAGES' }, key), ['_N_T_/p/x']);
  assert.deepEqual(tagsOf({ kind: 'PAGES' }, '/p/x'), ['_N_T_/p/x']);
  assert.deepEqual(tagsOf(null, '/index'), ['_N_T_/', '_N_T_/index']);
  assert.deepEqual(tagsOf({ kind: 'PAGES' }, '/index/index'), ['_N_T_/index', '_N_T_/']);
  assert.deepEqual(tagsOf({ kind: 'REDIRECT' }, '/m'), ['_N_T_/m']);
  assert.deepEqual(tagsOf({ kind: 'PAGE', headers: {} }, '/en/m'), ['_N_T_/en/m']);
  assert.deepEqual(tagsOf({ kind: 'PAGE', headers: { 'x-next-cache-tags': 'a,_N_T_/layout' } }, '/m'), [
    'a',
    '_N_T_/layout',
  ]);
  assert.deepEqual(tagsOf({ kind: 'APP_ROUTE', headers: {} }, '/m'), []);
});

test('the tags of a get count: ctx.tags and soft tags', async (t) => {
  const { store } = setup(t);
  const h = new LarderHandler({ serverDistDir: dist(t) });
  const ctx = { kind: 'FETCH', revalidate: 60, tags: ['a'], softTags: ['_N_T_/x'] };
  const value = { kind: 'FETCH', data: {}, revalidate: 60 };
  await h.get('k', ctx);
  await h.set('k', value, { fetchCache: true, tags: ['a'] });
  await store.revalidate(['_N_T_/x']);
  assert.equal(await h.get('k', ctx), null);
  assert.notEqual(await h.get('k', { ...ctx, softTags: [] }), null);
});

test('the names that 14 uses', async (t) => {
  const { store } = setup(t);
  const h = new LarderHandler({ serverDistDir: dist(t) });
  await h.get('k', { kindHint: 'fetch', tags: [] });
  await h.get('/x', { kindHint: 'app' });
  await h.get('/p', { kindHint: 'pages' });
  assert.deepEqual(
    store.calls.map(([, kind]) => kind),
    [KIND.FETCH, KIND.PAGE, KIND.PAGE],
  );
  await h.set(
    '/x',
    { kind: 'ROUTE', body: Buffer.from('b'), status: 200, headers: {} },
    { revalidate: false },
  );
  const put = store.calls.at(-1)[1];
  assert.equal(put.revalidate, Infinity);
  assert.ok(Number.isNaN(put.expire));
});

test('images: their own kind, and one note', async (t) => {
  const { store } = setup(t);
  const h = new LarderHandler({ serverDistDir: dist(t), revalidatedTags: [], _requestHeaders: {} });
  const value = {
    kind: 'IMAGE',
    buffer: Buffer.from([1, 2]),
    etag: 'e',
    upstreamEtag: 'u',
    extension: 'webp',
    revalidate: 60,
  };
  assert.equal(await h.get('hash', { kind: 'IMAGE', isFallback: false }), null);
  await h.set('hash', value, { kind: 'IMAGE', cacheControl: { revalidate: 60, expire: undefined } });
  for (let i = 0; i < 3; i++) assert.deepEqual((await h.get('hash', { kind: 'IMAGE' })).value, value);
  await store.revalidate(['any']);
  await h.get('hash', { kind: 'IMAGE' });
  await store.epoch();
  await h.get('hash', { kind: 'IMAGE' });
  await h.set('hash', { ...value }, { kind: 'IMAGE', cacheControl: { revalidate: 60 } });
  assert.equal(store.calls.at(-1)[1].epoch, 2, 'hits of long ago do not make it old');
  assert.equal(store.calls.at(-1)[1].kind, KIND.IMAGE);
});

test('a value of another kind than was asked for is a miss: Next.js would throw', async (t) => {
  setup(t);
  const h = new LarderHandler({ serverDistDir: dist(t), dev: true });
  await h.set('k', { kind: 'FETCH', data: {}, revalidate: 1 }, { fetchCache: true });
  await h.set('p', page('p'), SET);
  const { store } = state();
  const real = store.get.bind(store);
  store.get = (kind, build, key, ...rest) =>
    real(kind === KIND.FETCH ? KIND.PAGE : KIND.FETCH, build, key, ...rest);
  assert.equal(await h.get('k', PAGE), null);
  assert.equal(await h.get('p', { kind: 'FETCH', tags: [] }), null);
});

test('lifetimes: false, none, for ever', () => {
  assert.equal(lifeMs(false), Infinity);
  assert.ok(Number.isNaN(lifeMs(undefined)));
  assert.equal(lifeMs(4294967294), Infinity);
  assert.equal(lifeMs(Infinity), Infinity);
  assert.equal(lifeMs(1.5), 1500);
  assert.equal(lifeMs(0), 0);
});

test('a store that fails: misses, and nothing is said that the core says', async (t) => {
  const { store, warned } = setup(t);
  const h = new LarderHandler({ serverDistDir: dist(t) });
  store.failing = { status: -3, detail: 'the deadline passed' };
  assert.equal(await h.get('/x', PAGE), null);
  await h.set('/x', page('p'), SET);
  await h.revalidateTag('a');
  assert.deepEqual(warned, []);
});

test('whatever is thrown below, get answers and set ends', async (t) => {
  const { store, warned } = setup(t);
  const h = new LarderHandler({ serverDistDir: dist(t) });
  store.get = () => {
    throw new Error('broken');
  };
  store.put = () => Promise.reject(new Error('broken'));
  assert.equal(await h.get('/x', PAGE), null);
  await h.set('/x', page('p'), SET);
  await h.set(
    '/x',
    {
      get kind() {
        throw new Error('odd');
      },
    },
    SET,
  );
  assert.ok(warned.length >= 1);
});

test('an entry that cannot be read back is a miss', async (t) => {
  const { store } = setup(t);
  const h = new LarderHandler({ serverDistDir: dist(t), dev: true });
  await store.put({
    key: '/x',
    build: 'development',
    kind: 1,
    epoch: 1,
    modified: 1,
    revalidate: NaN,
    expire: NaN,
    tags: [],
    meta: '{"html":"$7"}',
    parts: [],
  });
  assert.equal(await h.get('/x', PAGE), null);
});

test('no native module: misses, said once, nothing else', async (t) => {
  const { warned } = setup(t);
  let loads = 0;
  state().native = { load: () => (loads++, null), open: () => assert.fail('opened') };
  const h = new LarderHandler({ serverDistDir: dist(t) });
  for (let i = 0; i < 3; i++) {
    assert.equal(await h.get('/x', PAGE), null);
    await h.set('/x', page('p'), SET);
    await h.revalidateTag('t');
    h.resetRequestCache();
  }
  assert.equal(loads, 1, 'native.js says why');
  assert.deepEqual(warned, []);
});

test('a wrong configuration: said once, then misses', async (t) => {
  const { warned } = setup(t);
  state().native = {
    load: () => ({}),
    open: () => {
      throw new Error("unknown setting 'bukcet'");
    },
  };
  const h = new LarderHandler({ serverDistDir: dist(t) });
  await h.get('/x', PAGE);
  await h.get('/x', PAGE);
  assert.equal(warned.length, 1);
  assert.match(warned[0], /bukcet.*without a cache/);
});

test('while building, pages never reach the store, and a dead store is asked once', async (t) => {
  const { store } = setup(t);
  const serverDistDir = dist(t);
  process.env.NEXT_PHASE = 'phase-production-build';
  t.after(() => delete process.env.NEXT_PHASE);
  const h = new LarderHandler({ serverDistDir });
  store.calls.length = 0;
  assert.equal(await h.get('/x', PAGE), null);
  await h.set('/x', page('p'), SET);
  assert.deepEqual(store.calls, []);
  store.failing = { status: -3 };
  for (let i = 0; i < 5; i++) {
    await h.get('k', { kind: 'FETCH', tags: [] });
    await h.set('k', { kind: 'FETCH', data: {}, revalidate: 1 }, { fetchCache: true });
  }
  assert.equal(store.calls.length, 1);
});

test('durations as Next.js gives them', async (t) => {
  const { store } = setup(t);
  const h = new LarderHandler({});
  const calls = [
    [['a'], undefined, undefined],
    ['a', { expire: 0 }, undefined],
    [['a'], { expire: 60 }, 60_000],
    [['a'], { expire: 31536000 }, 31536000_000],
    [['a'], { expire: undefined }, Infinity],
    [['a'], {}, Infinity],
    [['a'], { expire: 4294967294 }, Infinity],
    [['a'], { expire: Infinity }, Infinity],
    [['a'], { expire: NaN }, undefined],
  ];
  for (const [tags, durations, expected] of calls) {
    await h.revalidateTag(tags, durations);
    assert.deepEqual(store.calls.at(-1), ['revalidate', ['a'], expected], JSON.stringify(durations));
  }
});

test('revalidateTag of nothing does nothing; it never rejects', async (t) => {
  const { store } = setup(t);
  const h = new LarderHandler({});
  for (const tags of [[], '', undefined, null, [''], 5]) await h.revalidateTag(tags);
  assert.deepEqual(store.calls, []);
  store.revalidate = () => Promise.reject(new Error('broken'));
  await h.revalidateTag('t');
});

test('equal calls of one turn are one; a later one is its own', async (t) => {
  const { store } = setup(t);
  const h = new LarderHandler({});
  await Promise.all([
    h.revalidateTag(['a', 'b']),
    h.revalidateTag(['b', 'a']),
    h.revalidateTag(['a', 'b'], { expire: 5 }),
  ]);
  assert.equal(store.calls.length, 2);
  await h.revalidateTag(['a', 'b']);
  assert.equal(store.calls.length, 3);
});

test('a call never joins one that was sent before it began', async (t) => {
  const { store } = setup(t);
  const h = new LarderHandler({});
  let release;
  store.before = () => new Promise((resolve) => (release = resolve));
  const first = h.revalidateTag('a');
  for (let i = 0; i < 100 && !release; i++) await null;
  const second = h.revalidateTag('a');
  const releaseFirst = release;
  release = undefined;
  for (let i = 0; i < 100 && !release; i++) await null;
  assert.ok(release, 'a call of its own was sent');
  releaseFirst();
  release();
  await Promise.all([first, second]);
  assert.equal(store.calls.length, 2);
});

test('a revalidation that failed rejects nothing, and is the core\'s to repeat', async (t) => {
  const { store } = setup(t);
  const h = new LarderHandler({});
  store.failing = { status: -1, detail: 'refused' };
  await h.revalidateTag('a', { expire: 3600 });
  await h.revalidateTag('b');
  assert.equal(store.calls.length, 2);
});

test('a value that another process renders just now keeps its epoch where it is set again', async (t) => {
  const { store } = setup(t);
  const h = new LarderHandler({ serverDistDir: dist(t) });
  await h.set('/x', page('old'), SET);
  const get = store.get.bind(store);
  store.get = async (...args) => ({ ...(await get(...args)), verdict: 4, modified: 1 });
  const { value, lastModified } = await h.get('/x', PAGE);
  assert.equal(value.html, 'old');
  assert.ok(Date.now() - lastModified < 1000);
  const epochs = [];
  const put = store.put.bind(store);
  store.put = (entry) => (epochs.push(entry.epoch), put(entry));
  const { epoch } = await get(1, 'build-1', '/x', null, 0);
  await h.set('/x', value, SET);
  assert.deepEqual(epochs, [epoch]);
});

test('what is rendered on demand and cannot be stored is revalidated: the old page must go all the same', async (t) => {
  const { store } = setup(t);
  const h = new LarderHandler({ serverDistDir: dist(t) });
  const revalidated = [];
  const revalidate = store.revalidate.bind(store);
  store.revalidate = (tags, ...rest) => (revalidated.push(tags), revalidate(tags, ...rest));
  const old = { kind: 'PAGES', html: 'p', pageData: {}, headers: {}, status: 200 };
  store.failing = { status: -1, detail: 'refused' };
  await h.set('/p/x', { ...old }, SET); // res.revalidate(): no get came before
  assert.deepEqual(revalidated, [['_N_T_/p/x']]);
  await h.set('/post/1', page('p', 'posts,_N_T_/layout,_N_T_/post/1'), SET);
  assert.deepEqual(revalidated.at(-1), ['_N_T_/post/1'], 'and not what it shares with others');

  store.failing = null;
  await h.get('/p/missing', { kind: 'PAGES' });
  store.failing = { status: -1, detail: 'refused' };
  await h.set('/p/missing', { ...old }, SET); // nothing is to be replaced
  assert.equal(revalidated.length, 2);
});

test('res.revalidate() is known by its header, also where the get before it failed', async (t) => {
  const { store } = setup(t);
  const server = dist(t);
  const about = { preview: { previewModeId: 'a secret' } };
  fs.writeFileSync(path.join(server, '../prerender-manifest.json'), JSON.stringify(about));
  const revalidated = [];
  const revalidate = store.revalidate.bind(store);
  store.revalidate = (tags, ...rest) => (revalidated.push(tags), revalidate(tags, ...rest));
  store.failing = { status: -1, detail: 'refused' };
  for (const header of ['another', undefined, 'a secret']) {
    assert.deepEqual(revalidated, []);
    const h = new LarderHandler({ serverDistDir: server, _requestHeaders: { 'x-prerender-revalidate': header } });
    assert.equal(await h.get('/p/x', { kind: 'PAGES' }), null);
    await h.set('/p/x', { kind: 'PAGES', html: 'p', pageData: {}, headers: {}, status: 200 }, SET);
  }
  assert.deepEqual(revalidated, [['_N_T_/p/x']]);
});

test('what is served in an outage is not kept by caches between', async (t) => {
  const { store } = setup(t);
  const h = new LarderHandler({ serverDistDir: dist(t) });
  await h.set('/x', page('known'), SET);
  const get = store.get.bind(store);
  store.get = async (...args) => ({ ...(await get(...args)), verdict: 4 });
  const { value, cacheControl } = await h.get('/x', PAGE);
  assert.equal(value.html, 'known');
  assert.equal(cacheControl.revalidate, 1);
});

test('other processes are told of a page that was fresh, or that no get asked for, and of no other', async (t) => {
  const { store } = setup(t);
  const told = [];
  const put = store.put.bind(store);
  store.put = (entry) => (told.push(entry.tell), put(entry));
  const h = new LarderHandler({ serverDistDir: dist(t) });
  await h.set('/on-demand', page('p'), SET);
  await h.get('/asked', PAGE);
  await h.set('/asked', page('p'), SET);
  await h.set('fetch', { kind: 'FETCH', data: { body: 'x', headers: {}, status: 200 }, revalidate: 60 }, {});
  assert.deepEqual(told, [true, false, false]);

  // res.revalidate(): Next.js looks at the entry, and renders it although it is fresh.
  await h.get('/asked', PAGE);
  await h.set('/asked', page('on demand'), SET);
  await h.set('/asked', page('again'), SET);
  await h.revalidateTag('t');
  await h.get('/asked', PAGE);
  await h.set('/asked', page('after a revalidation'), SET);
  assert.deepEqual(told.slice(3), [true, true, false]);
});

test('the set of a value does not wait for revalidations, nor they for it', async (t) => {
  const { store } = setup(t);
  const h = new LarderHandler({ serverDistDir: dist(t) });
  let held;
  store.before = (method) => (method === 'put' ? new Promise((resolve) => (held = resolve)) : undefined);
  const set = h.set('/x', page('p'), SET);
  await h.revalidateTag('t');
  held();
  await set;
});

test('a set waits for the store no longer than set-wait, and the put goes on', async (t) => {
  const { store } = setup(t);
  const h = new LarderHandler({ serverDistDir: dist(t) });
  let held;
  store.setWaitMs = 1;
  store.before = (method) => (method === 'put' ? new Promise((resolve) => (held = resolve)) : undefined);
  await h.get('/x', PAGE);
  await h.set('/x', page('p'), SET);
  assert.equal(store.table.data.entries.size, 0, 'it is not stored yet');
  store.before = null;
  held();
  await null;
  assert.equal((await h.get('/x', PAGE)).value.html, 'p');
});

test('a set that is answered in time leaves no timer behind', async (t) => {
  const { store } = setup(t);
  const h = new LarderHandler({ serverDistDir: dist(t) });
  const begun = t.mock.method(globalThis, 'setTimeout');
  const ended = t.mock.method(globalThis, 'clearTimeout');
  store.setWaitMs = 60_000;
  await h.get('/x', PAGE);
  await h.set('/x', page('p'), SET);
  const timers = begun.mock.calls.filter((call) => call.arguments[1] === 60_000).map((call) => call.result);
  assert.equal(timers.length, 1);
  assert.ok(ended.mock.calls.some((call) => call.arguments[0] === timers[0]));
});

test('what res.revalidate() renders, and what a build fetches, is waited for to its end', async (t) => {
  const { store } = setup(t);
  const h = new LarderHandler({ serverDistDir: dist(t) });
  const begun = t.mock.method(globalThis, 'setTimeout');
  store.setWaitMs = 1;
  await h.set('/x', page('p'), SET); // no get came before
  t.after(() => delete process.env.NEXT_PHASE);
  process.env.NEXT_PHASE = 'phase-production-build';
  await h.get('f', { kind: 'FETCH', tags: [] });
  await h.set('f', { kind: 'FETCH', data: {}, revalidate: 60 }, { fetchCache: true });
  assert.deepEqual(store.calls.filter(([method]) => method === 'put').map(([, entry]) => entry.key), ['/x', 'f']);
  assert.deepEqual(begun.mock.calls.filter((call) => call.arguments[1] === 1), []);
});

test('the shell of a page gives no RSC data: Next.js would send it as the whole', async (t) => {
  setup(t);
  const h = new LarderHandler({ serverDistDir: dist(t) });
  const ppr = { ...PAGE, isRoutePPREnabled: true };
  await h.get('/x', ppr);
  await h.set('/x', { ...page('shell'), postponed: 'state' }, SET);
  assert.equal((await h.get('/x', ppr)).value.rscData, undefined);
  assert.equal((await h.get('/x', { ...ppr, isFallback: true })).value.rscData, undefined);
  await h.set('/y', page('whole'), SET);
  assert.deepEqual((await h.get('/y', ppr)).value.rscData, Buffer.from('r'));
});

test('a build whose store did not answer at first asks it no more', async (t) => {
  const { store } = setup(t);
  const serverDistDir = dist(t);
  process.env.NEXT_PHASE = 'phase-production-build';
  process.env.__LARDER_OFFLINE = '1';
  t.after(() => {
    delete process.env.NEXT_PHASE;
    delete process.env.__LARDER_OFFLINE;
  });
  const h = new LarderHandler({ serverDistDir });
  store.calls.length = 0;
  assert.equal(await h.get('k', { kind: 'FETCH', tags: [] }), null);
  await h.set('k', { kind: 'FETCH', data: {}, revalidate: 1 }, { fetchCache: true });
  assert.deepEqual(store.calls, []);
  delete process.env.NEXT_PHASE;
  await h.get('k', { kind: 'FETCH', tags: [] });
  assert.equal(store.calls.length, 1, 'a server that inherits this asks');
});
