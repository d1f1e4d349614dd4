'use strict';
/* The handlers where marks are trusted for a while (mark-age): hits without a call of the store. */
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { FakeStore, Table, fakeNative } = require('./fake-native.js');
const { state, reset, SYMBOL } = require('../lib/state.js');
const { LarderHandler } = require('../lib/handler.js');
const { useCache } = require('../lib/use-cache-handler.js');

const AGE = 1000;
let clock;

/** A process, with a state of its own; asked(): how many gets its store was asked. */
function processOn(t, table, options = {}) {
  reset();
  const store = new FakeStore({ table, markAge: AGE, mono: () => clock, ...options });
  state().native = fakeNative(store);
  const own = state();
  t.after(reset);
  const asked = () => store.calls.filter(([method]) => method === 'get').length;
  return { store, asked, enter: () => (globalThis[SYMBOL] = own) };
}

function setup(t, options) {
  clock = 0;
  delete process.env.NEXT_PHASE;
  const distDir = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-kept-'));
  t.after(() => fs.rmSync(distDir, { recursive: true, force: true }));
  const serverDistDir = path.join(distDir, 'server');
  fs.writeFileSync(path.join(distDir, 'BUILD_ID'), 'build-1');
  const table = new Table();
  const here = processOn(t, table, options);
  // Next.js makes a handler for each request.
  const request = () => new LarderHandler({ serverDistDir });
  return { ...here, table, request };
}

const PAGE = { kind: 'APP_PAGE', isRoutePPREnabled: false, isFallback: false };
const SET = { cacheControl: { revalidate: 60, expire: 3600 }, isRoutePPREnabled: false, isFallback: false };
const page = (html) => ({
  kind: 'APP_PAGE',
  html,
  rscData: Buffer.from('r'),
  headers: { 'x-next-cache-tags': 't' },
  status: 200,
});

async function render(h, key, value, get = PAGE) {
  await h.get(key, get);
  await h.set(key, value, SET);
}

test('a hit that is trusted asks nobody, and is what a hit of the store is', async (t) => {
  const { asked, request, store } = setup(t);
  await render(request(), '/x', page('p'));
  const first = await request().get('/x', PAGE);
  const before = asked();
  const second = await request().get('/x', PAGE);
  assert.equal(asked(), before);
  assert.deepEqual(second, first);
  second.value.rscData.fill(0);
  second.value.headers.other = '1';
  assert.deepEqual((await request().get('/x', PAGE)).value, page('p'));
  store.kept.tell();
  assert.equal(store.counted, 2);
});

test('P1: a revalidation of this process is seen at once', async (t) => {
  const { request } = setup(t);
  await render(request(), '/x', page('p'));
  await request().get('/x', PAGE);
  await request().revalidateTag('t');
  assert.equal(await request().get('/x', PAGE), null);
});

test('P1: a revalidation of another process is seen within mark-age', async (t) => {
  const { request, table, enter } = setup(t);
  await render(request(), '/x', page('p'));
  await request().get('/x', PAGE);
  processOn(t, table);
  await request().revalidateTag('t');
  assert.equal(await request().get('/x', PAGE), null);
  enter();
  clock = AGE - 1;
  assert.equal((await request().get('/x', PAGE)).value.html, 'p', 'this is what mark-age allows');
  clock = AGE;
  assert.equal(await request().get('/x', PAGE), null);
});

test('what this process puts is seen at once, also while it is being put', async (t) => {
  const { request, store } = setup(t);
  await render(request(), '/x', page('old'));
  await request().get('/x', PAGE);
  const set = request().set('/x', page('new'), SET);
  const during = request().get('/x', PAGE);
  await set;
  assert.equal((await during).value.html, 'new');
  assert.equal((await request().get('/x', PAGE)).value.html, 'new');
  await store.remove(1, 'build-1', '/x');
  assert.equal(await request().get('/x', PAGE), null);
});

test('an entry that is due is asked for, and one that is stale', async (t) => {
  const { request, asked, store } = setup(t);
  await render(request(), '/x', page('p'));
  await request().get('/x', PAGE);
  const time = Date.now();
  t.mock.method(Date, 'now', () => time + 60_001);
  let before = asked();
  await request().get('/x', PAGE);
  await request().get('/x', PAGE);
  assert.equal(asked(), before + 2);
  Date.now.mock.restore();
  await store.revalidate(['t'], Infinity);
  before = asked();
  for (let i = 0; i < 2; i++) assert.equal((await request().get('/x', PAGE)).value.html, 'p');
  assert.equal(asked(), before + 2);
});

test('what another process renders just now is not kept', async (t) => {
  const { request, asked, store } = setup(t);
  await render(request(), '/x', page('p'));
  const { get } = store;
  store.get = async (...args) => ({ ...(await get.apply(store, args)), verdict: 4 });
  await request().get('/x', PAGE);
  const before = asked();
  await request().get('/x', PAGE);
  assert.equal(asked(), before + 1);
});

test('a set after such a hit stores no more than the store had known', async (t) => {
  const { request, store } = setup(t);
  await render(request(), '/x', page('p'));
  await request().get('/x', PAGE);
  const known = store.epochKnown;
  store.learn(known + 5);
  const h = request();
  await h.get('/x', PAGE);
  await h.set('/x', page('new'), SET);
  assert.equal(store.calls.findLast(([method]) => method === 'put')[1].epoch, known);
});

test('a value of such a hit keeps its epoch when it is set again', async (t) => {
  const { request, store } = setup(t);
  await render(request(), '/x', page('p'));
  await store.revalidate(['other']);
  await request().get('/x', PAGE);
  const h = request();
  const { value } = await h.get('/x', PAGE);
  await h.set('/x', value, SET);
  assert.equal(store.calls.findLast(([method]) => method === 'put')[1].epoch, 1);
});

test('null is a hit too, and keeps its epoch', async (t) => {
  const { request, store, asked } = setup(t);
  const ctx = { kind: 'PAGES', isFallback: false };
  await render(request(), '/none', null, ctx);
  await store.revalidate(['other']);
  await request().get('/none', ctx);
  const before = asked();
  const h = request();
  assert.equal((await h.get('/none', ctx)).value, null);
  assert.equal(asked(), before);
  await h.set('/none', null, SET);
  assert.equal(store.calls.findLast(([method]) => method === 'put')[1].epoch, 1);
});

test('a page that was such a hit and is rendered again tells other processes', async (t) => {
  const { request, store } = setup(t);
  await render(request(), '/x', page('p'));
  await request().get('/x', PAGE);
  const h = request();
  await h.get('/x', PAGE);
  await h.set('/x', page('on demand'), SET);
  assert.equal(store.calls.findLast(([method]) => method === 'put')[1].tell, true);
});

test('P1: the tags of a request count for a fetch that is kept', async (t) => {
  const { request, asked, store } = setup(t);
  const ctx = { kind: 'FETCH', revalidate: 60, tags: ['a'], softTags: ['_N_T_/x'] };
  const value = { kind: 'FETCH', data: { headers: {}, body: 'b', status: 200, url: '' }, revalidate: 60 };
  await request().get('k', ctx);
  await request().set('k', value, { fetchCache: true, tags: ['a'] });
  await request().get('k', ctx);
  let before = asked();
  assert.deepEqual((await request().get('k', ctx)).value, value);
  assert.equal(asked(), before);
  await request().get('k', { ...ctx, softTags: ['_N_T_/y'] });
  assert.equal(asked(), before + 1);
  before = asked();
  await request().get('k', { ...ctx, softTags: ['_N_T_/y'] });
  await request().get('k', ctx);
  assert.equal(asked(), before, 'both are judged now');
  await store.revalidate(['_N_T_/y']);
  assert.equal(await request().get('k', { ...ctx, softTags: ['_N_T_/y'] }), null);
  assert.notEqual(await request().get('k', ctx), null);
});

test('the static part of a page has no RSC data, whoever asked before', async (t) => {
  const { request } = setup(t);
  const shell = { ...page('p'), postponed: 'x' };
  await render(request(), '/x', shell);
  await request().get('/x', PAGE);
  assert.equal((await request().get('/x', { ...PAGE, isRoutePPREnabled: true })).value.rscData, undefined);
  assert.deepEqual((await request().get('/x', PAGE)).value.rscData, Buffer.from('r'));
});

async function text({ value }) {
  const chunks = [];
  for await (const chunk of value) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test('use cache: a stream of its own for each hit, and soft tags count', async (t) => {
  const { asked, store } = setup(t);
  await useCache.get('k', ['s']);
  clock += 1;
  const entry = { tags: ['t'], stale: 30, timestamp: performance.timeOrigin + performance.now(), expire: 3600, revalidate: 60 };
  t.mock.method(performance, 'now', () => entry.timestamp - performance.timeOrigin);
  store.knownAt = () => store.known();
  await useCache.set('k', Promise.resolve({ ...entry, value: new Response('text').body }));
  const first = await useCache.get('k', ['s']);
  let before = asked();
  const second = await useCache.get('k', ['s']);
  assert.equal(asked(), before);
  assert.deepEqual([await text(first), await text(second)], ['text', 'text']);
  const { value, ...rest } = second;
  assert.deepEqual(rest, entry);
  second.tags.push('mine');
  assert.deepEqual((await useCache.get('k', ['s'])).tags, ['t']);
  await useCache.get('k', ['other']);
  assert.equal(asked(), before + 1);
  await useCache.updateTags(['t']);
  assert.equal(await useCache.get('k', ['s']), undefined);
});
