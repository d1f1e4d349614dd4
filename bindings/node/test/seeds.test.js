'use strict';
/* What `next build` wrote, as entries: for each version's layout of .next, made here by hand. */
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { FakeStore, Table, fakeNative } = require('./fake-native.js');
const { state, reset } = require('../lib/state.js');
const { LarderHandler } = require('../lib/handler.js');

const SHA = 'a'.repeat(64);
const TAG = 'larder:build:1';
const BEGAN = Date.now() - 60_000;

/** What the store was asked about the tags of the seed itself. */
const asked = (store) =>
  store.calls.filter(([m, tags]) => m === 'check' && tags[0] !== TAG).map((call) => call[2]);

/** A build output: `files` in .next, and the epoch that the build recorded. */
function build(t, { files, routes = {}, dynamicRoutes = {}, epoch = 1, at = BEGAN, marked = true }) {
  reset();
  delete process.env.NEXT_PHASE;
  t.after(reset);
  const dist = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-seeds-'));
  t.after(() => fs.rmSync(dist, { recursive: true, force: true }));
  const all = {
    BUILD_ID: 'b',
    'prerender-manifest.json': JSON.stringify({ routes, dynamicRoutes }),
    'cache/larder-build.json': `${JSON.stringify({ build: 1, epoch, at, tag: TAG })}\n`,
    ...files,
  };
  for (const [name, data] of Object.entries(all)) {
    const file = path.join(dist, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, typeof data === 'string' || Buffer.isBuffer(data) ? data : JSON.stringify(data));
  }
  const table = new Table();
  if (marked) table.data.marks.set(TAG, { expired: epoch });
  const store = new FakeStore({ table });
  state().native = fakeNative(store);
  return {
    dist,
    store,
    table,
    handler: () => new LarderHandler({ serverDistDir: path.join(dist, 'server') }),
  };
}

const HEADERS = { 'x-next-cache-tags': 't,_N_T_/isr' };
const app16 = (key) => ({
  'server/app/isr.html': '<html>é',
  'server/app/isr.rsc': 'rsc',
  'server/app/isr.meta': {
    headers: HEADERS,
    status: 200,
    segmentPaths: ['/_tree', '/_full', '/gone'],
    routeCache: { key, isFallback: false },
  },
  'server/app/isr.segments/_tree.segment.rsc': 'tree',
  'server/app/isr.segments/_full.segment.rsc': 'rsc',
});
const KEY = `/route-cache/APP_PAGE/${SHA}/$/isr`;
const ROUTES = { '/isr': { initialRevalidateSeconds: 600, initialExpireSeconds: 3600 } };
const APP = { kind: 'APP_PAGE', isRoutePPREnabled: false, isFallback: false };

test('16: a page with its segments; "/_full" is rscData', async (t) => {
  const { handler } = build(t, { files: app16(KEY), routes: ROUTES });
  const { value, cacheControl, lastModified } = await handler().get(KEY, APP);
  assert.equal(value.kind, 'APP_PAGE');
  assert.equal(value.html, '<html>é');
  assert.deepEqual(value.rscData, Buffer.from('rsc'));
  assert.deepEqual([...value.segmentData.keys()], ['/_tree', '/_full']);
  assert.equal(value.segmentData.get('/_full'), value.rscData);
  assert.deepEqual(value.headers, HEADERS);
  assert.deepEqual(cacheControl, { revalidate: 600, expire: 3600 });
  assert.ok(Math.abs(lastModified - Date.now()) < 60_000);
});

test('it is put into the store, only where nothing is, with the epoch of the build', async (t) => {
  const { handler, store } = build(t, { files: app16(KEY), routes: ROUTES });
  await handler().get(KEY, APP);
  const put = store.calls.find(([m]) => m === 'put')[1];
  assert.equal(put.ifAbsent, true);
  assert.equal(put.epoch, 1);
  assert.equal(put.revalidate, 600_000);
  assert.deepEqual(put.tags, ['t', '_N_T_/isr']);
  const n = store.calls.length;
  await handler().get(KEY, APP);
  assert.deepEqual(
    store.calls.slice(n).map(([m]) => m),
    ['get'],
    'the next one is a hit',
  );
});

test('a revalidation since the build makes it useless', async (t) => {
  const { handler, store } = build(t, { files: app16(KEY), routes: ROUTES });
  await store.revalidate(['t']);
  assert.equal(await handler().get(KEY, APP), null);
  assert.ok(!store.calls.some(([m]) => m === 'put'));
});

test('a stale one is served, and refreshed', async (t) => {
  const { handler, store } = build(t, { files: app16(KEY), routes: ROUTES });
  await store.revalidate(['t'], Infinity);
  assert.notEqual(await handler().get(KEY, APP), null);
});

test('newer content in the store is never rolled back', async (t) => {
  const { handler, store } = build(t, { files: app16(KEY), routes: ROUTES });
  const h = handler();
  store.before = async (method) => {
    // Another process stores while this one reads its files.
    if (method !== 'check') return;
    store.before = null;
    await store.put({
      key: KEY,
      build: 'b',
      kind: 1,
      epoch: 1,
      modified: 5,
      revalidate: NaN,
      expire: NaN,
      tags: [],
      meta: '{"html":"new"}',
      parts: [],
    });
  };
  await h.get(KEY, APP);
  await null;
  assert.equal((await h.get(KEY, APP)).value.html, 'new');
});

test('a gone entry is not answered with a seed', async (t) => {
  const { handler, store } = build(t, { files: app16(KEY), routes: ROUTES });
  await handler().get(KEY, APP);
  await store.revalidate(['t']);
  assert.equal(await handler().get(KEY, APP), null);
});

test('an output older than its record was rendered by another build: epoch 0', async (t) => {
  const { handler, store } = build(t, {
    files: app16(KEY),
    routes: ROUTES,
    epoch: 7,
    at: Date.now() + 60_000,
  });
  await handler().get(KEY, APP);
  assert.deepEqual(asked(store), [0]);
});

test('of several processes of one build the smallest epoch counts, of an earlier build none', async (t) => {
  const lines = [
    { build: 1, epoch: 1, at: 1, tag: TAG },
    { build: 2, epoch: 9, at: 2, tag: 'larder:build:9' },
    { build: 2, epoch: 8, at: 3, tag: TAG },
  ];
  const { handler, store } = build(t, {
    files: { ...app16(KEY), 'cache/larder-build.json': lines.map((l) => JSON.stringify(l)).join('\n') },
    routes: ROUTES,
    epoch: 8,
  });
  await handler().get(KEY, APP);
  assert.deepEqual(asked(store), [8]);
});

test('the store of the build was another one: its epoch says nothing here', async (t) => {
  const { handler, store } = build(t, { files: app16(KEY), routes: ROUTES, epoch: 1000, marked: false });
  // Its clock, or its history, is ahead of this one.
  await store.revalidate(['t']);
  assert.equal(await handler().get(KEY, APP), null);
  assert.deepEqual(asked(store), [0]);
});

test('a store that makes the marks it lacks, since it may lose some, is not taken for that of the build', async (t) => {
  const { handler, store, table } = build(t, { files: app16(KEY), routes: ROUTES, epoch: 7, marked: false });
  table.data.epoch = 1000;
  const check = store.check.bind(store);
  store.check = (tags, epoch) => {
    for (const tag of tags)
      if (!table.data.marks.has(tag)) table.data.marks.set(tag, { expired: tag === TAG ? table.data.epoch : 1 });
    return check(tags, epoch);
  };
  await handler().get(KEY, APP);
  assert.deepEqual(asked(store), [0]);
});

test('that it is the same one is asked once, and again where the answer was an error', async (t) => {
  t.mock.method(console, 'warn', () => {});
  const { handler, store } = build(t, { files: app16(KEY), routes: ROUTES });
  const proofs = () => store.calls.filter(([m, tags]) => m === 'check' && tags[0] === TAG).length;
  const real = store.check.bind(store);
  let fail = true;
  store.check = (tags, epoch) =>
    tags[0] === TAG && fail
      ? (store.calls.push(['check', tags, epoch]), Promise.resolve({ verdict: -1, known: 0 }))
      : real(tags, epoch);
  store.put = async () => ({ status: -1 });
  await handler().get(KEY, APP);
  assert.deepEqual(asked(store), [0]);
  fail = false;
  for (let i = 0; i < 3; i++) await handler().get(KEY, APP);
  assert.deepEqual(asked(store), [0, 1, 1, 1]);
  assert.equal(proofs(), 3); // one that failed; then what is older than its mark, and what is not
});

test('no record: epoch 0', async (t) => {
  const { handler, store } = build(t, {
    files: { ...app16(KEY), 'cache/larder-build.json': 'not JSON' },
    routes: ROUTES,
  });
  await handler().get(KEY, APP);
  assert.deepEqual(asked(store), [0]);
});

test('the file of a path may be another route: its key decides', async (t) => {
  const { handler } = build(t, {
    files: app16(`/route-cache/APP_PAGE/${'b'.repeat(64)}/$/isr`),
    routes: ROUTES,
  });
  assert.equal(await handler().get(KEY, APP), null);
  assert.equal(await handler().get(`/route-cache/PAGES/${SHA}/$/isr`, APP), null);
});

test('what was not prerendered is not looked for', async (t) => {
  const { handler, store } = build(t, { files: app16(KEY), routes: {} });
  assert.equal(await handler().get(KEY, APP), null);
  assert.deepEqual(
    store.calls.map(([m]) => m),
    ['get'],
  );
});

test('keys that would lead out of the output find nothing', async (t) => {
  const names = [
    '/../../secret',
    '/a/../../../secret',
    '/..',
    '/\0',
    '//../../secret',
    '/constructor',
    '/__proto__',
  ];
  const routes = Object.fromEntries(names.map((name) => [name, { initialRevalidateSeconds: false }]));
  const { dist, handler } = build(t, { files: {}, routes });
  for (const ext of ['html', 'rsc', 'body', 'json']) fs.writeFileSync(path.join(dist, `secret.${ext}`), '{}');
  fs.writeFileSync(path.join(dist, 'secret.meta'), '{}');
  for (const name of names) {
    for (const ctx of [
      APP,
      { kind: 'PAGES' },
      { kind: 'APP_ROUTE' },
      { kindHint: 'app' },
      { kindHint: 'pages' },
    ]) {
      assert.equal(await handler().get(name, ctx), null, `${name} ${JSON.stringify(ctx)}`);
    }
  }
});

test('15 before scoped keys: plain paths, root as /index', async (t) => {
  const files = {
    'server/app/index.html': 'home',
    'server/app/index.rsc': 'r',
    'server/app/index.meta': { headers: HEADERS },
  };
  const { handler } = build(t, { files, routes: { '/': { initialRevalidateSeconds: false } } });
  const { value, cacheControl } = await handler().get('/index', APP);
  assert.equal(value.html, 'home');
  assert.equal(value.segmentData, undefined);
  assert.deepEqual(cacheControl, { revalidate: false, expire: undefined });
});

test('a route handler: bytes', async (t) => {
  const body = Buffer.from([0, 255, 10]);
  const key = `/route-cache/APP_ROUTE/${SHA}/$/api`;
  const files = {
    'server/app/api.body': body,
    'server/app/api.meta': { headers: HEADERS, status: 200, routeCache: { key } },
  };
  const { handler } = build(t, { files, routes: { '/api': { initialRevalidateSeconds: 60 } } });
  const { value } = await handler().get(key, { kind: 'APP_ROUTE', isFallback: false });
  assert.deepEqual(value, { kind: 'APP_ROUTE', body, headers: HEADERS, status: 200 });
});

test('a page of the pages router', async (t) => {
  const key = `/route-cache/PAGES/${SHA}/$/p`;
  const files = {
    'server/pages/p.html': 'h',
    'server/pages/p.json': { pageProps: { a: 1 } },
    'server/pages/p.meta': { routeCache: { key } },
  };
  const { handler, store } = build(t, { files, routes: { '/p': { initialRevalidateSeconds: 60 } } });
  const { value } = await handler().get(key, { kind: 'PAGES', isFallback: false });
  assert.deepEqual(value.pageData, { pageProps: { a: 1 } });
  assert.deepEqual(store.calls.find(([m]) => m === 'put')[1].tags, ['_N_T_/p']);
  await store.revalidate(['_N_T_/p']);
  assert.equal(await handler().get(key, { kind: 'PAGES', isFallback: false }), null);
});

test('the shell of a partially prerendered route: no rscData, under its pattern', async (t) => {
  const key = `/route-cache/APP_PAGE/${SHA}/$/post/[id]`;
  const files = {
    'server/app/post/[id].html': 'shell',
    'server/app/post/[id].meta': { headers: {}, postponed: 'state', routeCache: { key, isFallback: true } },
  };
  const { handler } = build(t, {
    files,
    dynamicRoutes: { '/post/[id]': { fallbackRevalidate: 900, fallbackExpire: 9000 } },
  });
  const shell = await handler().get(key, { kind: 'APP_PAGE', isRoutePPREnabled: true, isFallback: true });
  assert.equal(shell.value.postponed, 'state');
  assert.equal(shell.value.rscData, undefined);
  assert.deepEqual(shell.cacheControl, { revalidate: 900, expire: 9000 });
});

test('14: app and pages, text for RSC, "ROUTE" and "PAGE"', async (t) => {
  const files = {
    'server/app/isr.html': 'h',
    'server/app/isr.rsc': 'rsc',
    'server/app/isr.meta': { headers: HEADERS },
    'server/app/api.body': 'b',
    'server/app/api.meta': { headers: HEADERS, status: 200 },
    'server/pages/p.html': 'p',
    'server/pages/p.json': { pageProps: {} },
  };
  const routes = {
    '/isr': { initialRevalidateSeconds: 60 },
    '/api': { initialRevalidateSeconds: 60 },
    '/p': { initialRevalidateSeconds: 60 },
  };
  const { handler } = build(t, { files, routes });
  const app = (await handler().get('/isr', { kindHint: 'app' })).value;
  assert.deepEqual([app.kind, app.html, app.pageData], ['PAGE', 'h', 'rsc']);
  const api = (await handler().get('/api', { kindHint: 'app' })).value;
  assert.deepEqual([api.kind, api.body.toString()], ['ROUTE', 'b']);
  const p = (await handler().get('/p', { kindHint: 'pages' })).value;
  assert.deepEqual([p.kind, p.html, p.pageData], ['PAGE', 'p', { pageProps: {} }]);
});

test('after a failing read a seed may do, after a deadline there is no time for one', async (t) => {
  t.mock.method(console, 'warn', () => {});
  for (const [status, expected] of [
    [-1, ['get', 'check']],
    [-3, ['get']],
  ]) {
    const { handler, store } = build(t, { files: app16(KEY), routes: ROUTES });
    store.failing = { status };
    // The entry store fails, the tag store does not.
    store.before = (method) => {
      if (method === 'get') store.failing = null;
    };
    const answer = await handler().get(KEY, APP);
    assert.deepEqual(store.calls.map(([m]) => m).slice(0, expected.length), expected);
    assert.equal(answer !== null, status === -1);
  }
});
