'use strict';
/* The handlers on the addon: what the fake store only imitates. */
const test = require('node:test');
const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { reset, state } = require('../lib/state.js');
const { LarderHandler } = require('../lib/handler.js');
const { useCache } = require('../lib/use-cache-handler.js');

process.env.LARDER_CACHE = 'memory:';
const skip = require('../lib/native.js').load() ? false : 'the addon is not built';

test.beforeEach(reset);
const PAGE = { kind: 'APP_PAGE', isRoutePPREnabled: false, isFallback: false };
const SET = { cacheControl: { revalidate: 60, expire: 3600 }, isRoutePPREnabled: false, isFallback: false };

test('a page of 16 comes back as it was, with one Buffer for rscData and "/_full"', { skip }, async () => {
  const h = new LarderHandler({ dev: true });
  const rscData = Buffer.from('rsc é'.repeat(30_000));
  const value = {
    kind: 'APP_PAGE',
    html: `<p>${'é漢😀 '.repeat(20_000)}</p>`,
    rscData,
    headers: { 'x-next-cache-tags': 'native,_N_T_/x', link: ['a', 'b'] },
    status: 200,
    segmentData: new Map([
      ['/_tree', Buffer.from([0, 255, 10])],
      ['/_full', rscData],
      ['/empty', Buffer.alloc(0)],
    ]),
  };
  assert.equal(await h.get('/native', PAGE), null);
  await h.set('/native', value, SET);
  const back = await new LarderHandler({ dev: true }).get('/native', PAGE);
  assert.deepEqual(back.value, value);
  assert.equal(back.value.segmentData.get('/_full'), back.value.rscData);
  assert.deepEqual(back.cacheControl, { revalidate: 60, expire: 3600 });
  await h.revalidateTag('native');
  assert.equal(await h.get('/native', PAGE), null);
});

test('null, and a rendering that was overtaken by a revalidation', { skip }, async () => {
  const h = new LarderHandler({ dev: true });
  await h.get('/none', { kind: 'PAGES' });
  await h.set('/none', null, SET);
  const hit = await h.get('/none', { kind: 'PAGES' });
  assert.equal(hit.value, null);
  const other = new LarderHandler({ dev: true });
  await other.get('/late', { kind: 'PAGES' });
  await h.revalidateTag('_N_T_/late');
  await other.set('/late', { kind: 'PAGES', html: 'old', pageData: {}, headers: {}, status: 200 }, SET);
  assert.equal(await h.get('/late', { kind: 'PAGES' }), null);
});

test('a stale page, and lifetimes of false and for ever', { skip }, async () => {
  const h = new LarderHandler({ dev: true });
  const value = {
    kind: 'APP_ROUTE',
    body: Buffer.from('b'),
    status: 200,
    headers: { 'x-next-cache-tags': 'st' },
  };
  await h.get('/st', PAGE);
  await h.set('/st', value, { cacheControl: { revalidate: false, expire: 4294967294 } });
  const fresh = await h.get('/st', PAGE);
  assert.deepEqual(fresh.cacheControl, { revalidate: false, expire: undefined });
  await h.revalidateTag(['st'], { expire: 3600 });
  assert.deepEqual((await h.get('/st', PAGE)).value, value);
  await h.revalidateTag(['st'], { expire: 0 });
  assert.equal(await h.get('/st', PAGE), null);
});

test("'use cache': dated by the clock of this process, and by no other", { skip }, async () => {
  const key = `["id",["é\u0000${'x'.repeat(3000)}"]]`;
  const entry = (text) => ({
    value: new Response(text).body,
    tags: ['uc-native'],
    stale: 30,
    timestamp: performance.timeOrigin + performance.now(),
    expire: 4294967294,
    revalidate: 60,
  });
  assert.equal(await useCache.get(key, ['_N_T_/x']), undefined);
  // From the answer to the rendering some time passes in Next.js.
  await new Promise((resolve) => setImmediate(resolve));
  let began = entry('one');
  while (performance.timeOrigin + performance.now() < began.timestamp + 1) await null;
  began = entry('one');
  await useCache.set(key, Promise.resolve(began));
  const got = await useCache.get(key, ['_N_T_/x']);
  assert.equal(await new Response(got.value).text(), 'one');
  assert.equal(got.timestamp, began.timestamp);
  const overtaken = entry('two');
  await useCache.updateTags(['uc-native']);
  await useCache.set(key, Promise.resolve(overtaken));
  assert.equal(await useCache.get(key, []), undefined);
});

test('a setting that does not exist is said once, and everything is a miss', { skip }, async (t) => {
  const warned = [];
  t.mock.method(console, 'warn', (line) => warned.push(line));
  process.env.__LARDER_NEXT = '{"namespce":"x"}';
  t.after(() => delete process.env.__LARDER_NEXT);
  const h = new LarderHandler({ dev: true });
  await h.set('k', { kind: 'FETCH', data: {}, revalidate: 1 }, { fetchCache: true });
  assert.equal(await h.get('k', { kind: 'FETCH', tags: [] }), null);
  assert.equal(warned.length, 1);
  assert.match(warned[0], /namespce.*namespace/);
  assert.equal(state().store, null);
});

/* What is loaded only here: crypto alone takes 4 ms and 2 MB, as much as all of this package. */
test('a hit, the first of a process, loads no part of Node.js that it does not need', { skip }, (t) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-first-'));
  t.after(() => fs.rmSync(dir, { recursive: true }));
  const run = (program) => {
    const env = { ...process.env, LARDER_CACHE: `fs:${dir}` };
    const args = ['-e', program, require.resolve('../lib/next.js')];
    return execFileSync(process.execPath, args, { env, encoding: 'utf8', timeout: 60_000 });
  };
  const begin = `const Handler = require(process.argv[1]);
    const h = new Handler({ dev: true });
    const value = { kind: 'APP_ROUTE', body: Buffer.from('b'), status: 200, headers: {} };`;
  run(`${begin} h.get('/a', { kind: 'APP_ROUTE' }).then(() => h.set('/a', value, {}));`);
  const loaded = run(`${begin} h.get('/a', { kind: 'APP_ROUTE' }).then((got) => {
    if (got?.value.body.toString() !== 'b') throw new Error('no hit');
    console.log(process.moduleLoadList.join('\\n'));
  });`).split('\n');
  assert.ok(loaded.includes('NativeModule fs'));
  const costly = ['crypto', 'internal/fs/promises', 'perf_hooks'].map((name) => `NativeModule ${name}`);
  assert.deepEqual(loaded.filter((name) => costly.includes(name)), []);
});

test('a build knows its epoch, also where marks are trusted for a while', { skip }, (t) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-record-'));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  const program = `require(process.argv[1]).record(process.argv[2], true);
    console.log(process.env.__LARDER_OFFLINE ?? 'online');`;
  const env = { ...process.env, LARDER_CACHE: `fs:${dir}`, LARDER_MARK_AGE: '1h' };
  const args = ['-e', program, require.resolve('../lib/build.js'), dir];
  const begin = Date.now();
  assert.equal(execFileSync(process.execPath, args, { env, encoding: 'utf8', timeout: 60_000 }), 'online\n');
  const { epoch } = JSON.parse(fs.readFileSync(path.join(dir, 'cache/larder-build.json'), 'utf8'));
  assert.ok(epoch >= begin, 'of a new store: the time of day');
});

test('while the store hangs, a set ends after set-wait, and this process has what was put', { skip }, () => {
  const program = `const Handler = require(process.argv[1]);
    const { store } = require(process.argv[2]);
    const h = new Handler({ dev: true });
    const value = { kind: 'APP_ROUTE', body: Buffer.from('b'), status: 200, headers: {} };
    (async () => {
      await h.get('/a', { kind: 'APP_ROUTE' });
      await h.set('/a', value, {});
      const { puts } = store().stats();
      const got = await h.get('/a', { kind: 'APP_ROUTE' });
      console.log(JSON.stringify({ puts, body: got?.value.body.toString() }));
    })();`;
  // The put is answered only by its deadline, for which the process waits at its end.
  const env = { ...process.env, LARDER_FAULT: 'put:drop', LARDER_SET_WAIT: '1ms', LARDER_WRITE_DEADLINE: '3s' };
  const args = ['-e', program, require.resolve('../lib/next.js'), require.resolve('../lib/state.js')];
  const said = execFileSync(process.execPath, args, { env, encoding: 'utf8', timeout: 60_000 });
  assert.deepEqual(JSON.parse(said), { puts: 0, body: 'b' });
});
