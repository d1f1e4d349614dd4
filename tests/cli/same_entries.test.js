'use strict';
/*
 * What a build prerendered is read twice: by `larder seed` (cli/seed_*.c), and by the handlers on a miss
 * (bindings/node/lib/seeds.js).  Both must store the same entry: JSON, texts, bytes, tags and times.
 *
 * PROGRAM names the program.
 */
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test, before, after } = require('node:test');
const binding = path.join(__dirname, '../../bindings/node');
const { FakeStore, Table, fakeNative } = require(`${binding}/test/fake-native.js`);
const { state, reset } = require(`${binding}/lib/state.js`);
const { LarderHandler } = require(`${binding}/lib/handler.js`);
const { decode } = require(`${binding}/lib/entry.js`);

const program = path.resolve(process.env.PROGRAM);
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('LARDER_')));
let scratch;
let n = 0;

before(() => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-same-'));
});
after(() => fs.rmSync(scratch, { recursive: true }));

function larder(cwd, ...args) {
  const ran = spawnSync(program, args, { cwd, env, maxBuffer: 1 << 26 });
  assert.ifError(ran.error);
  return { code: ran.status, out: ran.stdout, err: ran.stderr.toString() };
}

function lay(root, files) {
  for (const [name, data] of Object.entries(files)) {
    const file = path.join(root, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, typeof data === 'string' || Buffer.isBuffer(data) ? data : JSON.stringify(data));
  }
}

/** A build output whose epoch was noted before it was written. */
function build({ version = '16.4.6', files, routes = {}, dynamicRoutes = {} }) {
  const dir = path.join(scratch, String(n++));
  fs.mkdirSync(dir);
  const begun = larder(dir, 'seed', '--begin', 'fs:store');
  assert.equal(begun.code, 0, begun.err);
  lay(path.join(dir, '.next'), {
    BUILD_ID: 'b',
    'prerender-manifest.json': { version: 4, routes, dynamicRoutes },
    ...(version.startsWith('14') ? {} : { 'diagnostics/framework.json': { name: 'Next.js', version } }),
    ...files,
  });
  return dir;
}

/** What the handler puts into its store when it is asked for the key. */
async function byHandler(dir, key, ctx) {
  reset();
  delete process.env.NEXT_PHASE;
  const note = JSON.parse(fs.readFileSync(path.join(dir, '.next/cache/larder-build.json'), 'utf8'));
  const table = new Table();
  table.data.marks.set(note.tag, { expired: note.epoch });
  const store = new FakeStore({ table });
  state().native = fakeNative(store);
  await new LarderHandler({ serverDistDir: path.join(dir, '.next/server') }).get(key, ctx);
  const put = store.calls.find(([m]) => m === 'put')?.[1];
  reset();
  return put;
}

function byProgram(dir, key, kind = 'page') {
  const at = [key, '--kind', kind, '--build', 'b', '--cache', 'fs:store'];
  const shown = larder(dir, 'get', ...at, '--json');
  assert.equal(shown.code, 0, shown.err + shown.out);
  const entry = JSON.parse(shown.out);
  return { ...entry, parts: entry.parts.map(({ name }) => [name, larder(dir, 'get', ...at, '--part', name).out]) };
}

const bytesOf = (part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part.buffer, part.byteOffset, part.byteLength));
const ms = (value) => (Number.isNaN(value) ? undefined : value === Infinity ? 'forever' : value);

/** Both, for one key. */
async function same(dir, key, ctx) {
  const put = await byHandler(dir, key, ctx);
  assert.ok(put, 'the handler finds it');
  const entry = byProgram(dir, key);
  assert.equal(entry.meta, put.meta);
  assert.deepEqual(
    entry.parts.map(([name]) => name),
    put.names,
  );
  entry.parts.forEach(([name, bytes], i) => {
    assert.ok(bytes.equals(bytesOf(put.parts[i])), name);
  });
  assert.deepEqual(entry.tags, put.tags);
  assert.equal(entry.modifiedMs, Math.floor(put.modified));
  assert.equal(entry.epoch, put.epoch);
  assert.equal(entry.revalidateMs ?? undefined, ms(put.revalidate));
  assert.equal(entry.expireMs ?? undefined, ms(put.expire));
  return entry;
}

function seeded(dir, expected) {
  const ran = larder(dir, 'seed', 'fs:store', '--json');
  const told = JSON.parse(ran.out);
  assert.equal(told.seeded, expected, JSON.stringify(told) + ran.err);
  assert.equal(ran.code, 0);
}

const SHA = 'a'.repeat(64);
const HEADERS = { 'x-next-cache-tags': 't,_N_T_/isr', 'x-cost': '$5', 'set-cookie': ['a=1', '$2'] };
const APP = { kind: 'APP_PAGE', isRoutePPREnabled: false, isFallback: false };
const PAGES = { kind: 'PAGES', isFallback: false };
const ROUTES = { '/isr': { initialRevalidateSeconds: 600, initialExpireSeconds: 3600 } };
const odd = `é漢😀"\\\n\u0001</b>`;
const long = (c) => c.repeat(513);

test('16: an app page with segments, "/_full" once; small and large, with any characters', async () => {
  for (const [html, rsc] of [
    ['$<html>' + odd, 'rsc'],
    [odd + long('é'), Buffer.alloc(3000, 7)],
    ['😀'.repeat(256), ''],
    ['😀'.repeat(256) + 'x', 'rsc'],
  ]) {
    const key = `/route-cache/APP_PAGE/${SHA}/$/isr`;
    const dir = build({
      routes: ROUTES,
      files: {
        'server/app/isr.html': html,
        'server/app/isr.rsc': rsc,
        'server/app/isr.meta': {
          headers: { ...HEADERS, 'x-long': long(odd) },
          status: 200,
          segmentPaths: ['/_tree', '/_full', '/gone', '/isr/$d$id/__PAGE__'],
          prefetchHints: { hints: 64, slots: null },
          routeCache: { key, owner: { kind: 'APP_PAGE', sourceRoute: '/isr/page' }, isFallback: false },
        },
        'server/app/isr.segments/_tree.segment.rsc': Buffer.from([0, 255, 10]),
        'server/app/isr.segments/_full.segment.rsc': rsc,
        'server/app/isr.segments/isr/$d$id/__PAGE__.segment.rsc': '',
      },
    });
    seeded(dir, 1);
    const { meta, parts } = await same(dir, key, APP);
    const value = decode(meta, parts.map(([name, bytes]) => (name === 'html' ? bytes.toString() : bytes)));
    assert.equal(value.segmentData.get('/_full'), value.rscData);
  }
});

test('16: a page that is partially prerendered, and the shell of its route: no RSC data', async () => {
  const key = (name) => `/route-cache/APP_PAGE/${SHA}/$/post/${name}`;
  const files = {};
  for (const [name, isFallback] of [['1', false], ['[id]', true]]) {
    files[`server/app/post/${name}.html`] = `shell ${name}`;
    files[`server/app/post/${name}.meta`] = {
      headers: {},
      postponed: name === '1' ? long('p') : '$p',
      segmentPaths: ['/_tree'],
      routeCache: { key: key(name), isFallback },
    };
    files[`server/app/post/${name}.segments/_tree.segment.rsc`] = 'tree';
  }
  files['server/app/post/1.rsc'] = 'dynamic';
  const dir = build({
    files,
    routes: { '/post/1': { initialRevalidateSeconds: false } },
    dynamicRoutes: { '/post/[id]': { fallback: '/post/[id].html', fallbackRevalidate: 900, fallbackExpire: 9000 } },
  });
  seeded(dir, 2);
  await same(dir, key('1'), { ...APP, isRoutePPREnabled: true });
  await same(dir, key('[id]'), { ...APP, isRoutePPREnabled: true, isFallback: true });
});

test('route handlers: any bytes, and none', async () => {
  for (const body of [Buffer.from([0, 255, 10, 0x24]), Buffer.alloc(0)]) {
    const key = `/route-cache/APP_ROUTE/${SHA}/$/isr`;
    const dir = build({
      routes: ROUTES,
      files: { 'server/app/isr.body': body, 'server/app/isr.meta': { headers: HEADERS, status: 200, routeCache: { key } } },
    });
    seeded(dir, 1);
    await same(dir, key, { kind: 'APP_ROUTE', isFallback: false });
  }
});

test('pages router: data that is walked and data that is one text, and the tag of the path', async () => {
  for (const pageProps of [
    { a: '$1', list: [1, null, '$', { $: true }], n: -1.5e300, odd },
    { text: long('$') },
    { lone: 'LONE' },
  ]) {
    const json = JSON.stringify({ pageProps, __N_SSG: true }).replace('LONE', '\\ud800');
    const dir = build({
      version: '15.1.0',
      routes: { '/isr': { initialRevalidateSeconds: 60 }, '/': { initialRevalidateSeconds: 4294967294 } },
      files: {
        'server/pages/isr.html': 'h',
        'server/pages/isr.json': json,
        'server/pages/index.html': 'home',
        'server/pages/index.json': '{}',
      },
    });
    seeded(dir, 2);
    await same(dir, '/isr', PAGES);
    assert.deepEqual((await same(dir, '/index', PAGES)).tags, ['_N_T_/', '_N_T_/index']);
  }
});

test('15 before scoped keys: the root is "/index"; its life from .meta before that of the manifest', async () => {
  const dir = build({
    version: '15.2.0',
    routes: { '/': { initialRevalidateSeconds: 5 } },
    files: {
      'server/app/index.html': 'home',
      'server/app/index.rsc': 'r',
      'server/app/index.meta': { headers: HEADERS, cacheControl: { revalidate: false, expire: 77 } },
    },
  });
  seeded(dir, 1);
  await same(dir, '/index', APP);
});

test('14: both routers as "PAGE", RSC as a text', async () => {
  const dir = build({
    version: '14.2.35',
    routes: {
      '/isr': { initialRevalidateSeconds: 60 },
      '/api': { initialRevalidateSeconds: 60 },
      '/p': { initialRevalidateSeconds: false },
      '/bare': { initialRevalidateSeconds: 60 },
    },
    files: {
      'server/app/isr.html': long('h'),
      'server/app/isr.rsc': long('$'),
      'server/app/isr.meta': { headers: HEADERS },
      'server/app/bare.html': 'b',
      'server/app/bare.rsc': '$b',
      'server/app/api.body': 'b',
      'server/app/api.meta': { headers: HEADERS, status: 200 },
      'server/pages/p.html': 'p',
      'server/pages/p.json': { pageProps: { a: [{}] } },
    },
  });
  seeded(dir, 4);
  await same(dir, '/isr', { kindHint: 'app' });
  await same(dir, '/bare', { kindHint: 'app' });
  await same(dir, '/api', { kindHint: 'app' });
  await same(dir, '/p', { kindHint: 'pages' });
});

/** What a set() of it would store. */
async function bySet(key, value, ctx) {
  reset();
  const store = new FakeStore({ table: new Table() });
  state().native = fakeNative(store);
  await new LarderHandler({}).set(key, value, ctx);
  const put = store.calls.find(([m]) => m === 'put')[1];
  reset();
  return put;
}

test('what was fetched, where the build had no cache handler', async () => {
  const key = '0123456789abcdef'.repeat(4);
  const value = {
    kind: 'FETCH',
    data: { headers: { a: '$b' }, body: long('e30='), status: 200, url: 'http://origin/' },
    revalidate: 60,
    tags: ['posts', 'posts', '$t'],
  };
  const dir = build({ files: { [`cache/fetch-cache/${key}`]: value } });
  seeded(dir, 1);
  const put = await bySet(key, value, { kind: 'FETCH', fetchCache: true });
  const entry = byProgram(dir, key, 'fetch');
  assert.equal(entry.meta, put.meta);
  assert.deepEqual(entry.tags, put.tags);
  assert.equal(entry.revalidateMs, 60_000);
  assert.equal(entry.parts[0][0], put.names[0]);
  assert.ok(entry.parts[0][1].equals(Buffer.from(put.parts[0])));
});

test('an OpenNext build has the same entries', async () => {
  const key = `/route-cache/APP_PAGE/${SHA}/$/isr`;
  const meta = { headers: HEADERS, status: 200, segmentPaths: ['/_tree', '/_full'], routeCache: { key } };
  const binary = { headers: { 'content-type': 'image/png; x' }, status: 200 };
  const dir = build({
    version: '16.4.6',
    routes: ROUTES,
    files: {
      'server/app/isr.html': odd + long('h'),
      'server/app/isr.rsc': 'rsc é',
      'server/app/isr.meta': meta,
      'server/app/isr.segments/_tree.segment.rsc': 'tree',
      'server/app/isr.segments/_full.segment.rsc': 'rsc é',
    },
  });
  lay(path.join(dir, '.open-next/cache/b'), {
    [`${key.slice(1)}.cache`]: {
      type: 'app',
      meta,
      html: odd + long('h'),
      rsc: 'rsc é',
      segmentData: { '/_tree': 'tree', '/_full': 'rsc é' },
    },
    'picture.cache': { type: 'route', meta: binary, body: Buffer.from([137, 80, 0, 255]).toString('base64') },
    'p/x.cache': { type: 'page', html: 'h', json: { pageProps: { a: 1 } } },
  });
  const ran = larder(dir, 'seed', '--build', '.open-next', 'fs:store', '--json');
  assert.equal(JSON.parse(ran.out).seeded, 3, ran.out.toString() + ran.err);
  const put = await byHandler(dir, key, APP);
  const entry = byProgram(dir, key);
  assert.equal(entry.meta, put.meta);
  assert.deepEqual(entry.tags, put.tags);
  entry.parts.forEach(([name, bytes], i) => assert.ok(bytes.equals(bytesOf(put.parts[i])), name));
  assert.deepEqual(byProgram(dir, '/picture').parts, [['body', Buffer.from([137, 80, 0, 255])]]);
  const page = byProgram(dir, '/p/x');
  assert.deepEqual(JSON.parse(page.meta), { kind: 'PAGES', html: 'h', pageData: { pageProps: { a: 1 } } });
  assert.deepEqual(page.tags, ['_N_T_/p/x']);
});
