'use strict';
/* next.config.js: what withLarder() sets for each version, and what a build leaves behind. */
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { execFileSync } = require('node:child_process');

const HOME = path.join(__dirname, '..');

/** An application with that version of Next.js, in which `code` is run by a process of its own. */
function inApp(t, version, code, { files = {}, args = ['start'], env = {} } = {}) {
  const dir = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'larder-config-')));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  const all = {
    'package.json': '{}',
    'node_modules/next/package.json': JSON.stringify({ version }),
    ...files,
  };
  for (const [name, text] of Object.entries(all)) {
    fs.mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
    fs.writeFileSync(path.join(dir, name), text);
  }
  const program = `
    const { FakeStore, Table, fakeNative } = require(${JSON.stringify(path.join(__dirname, 'fake-native.js'))});
    const { state } = require(${JSON.stringify(path.join(HOME, 'lib/state.js'))});
    const store = new FakeStore();
    store.drain = () => { store.learn(store.table.data.epoch); return true; };
    state().native = fakeNative(store);
    const { withLarder } = require(${JSON.stringify(HOME)});
    (async () => { const out = await (async () => { ${code} })(); process.stdout.write(JSON.stringify(out ?? null)); })()
      .catch((error) => { process.stdout.write(JSON.stringify({ threw: error.message })); });`;
  fs.writeFileSync(path.join(dir, 'program.js'), program);
  const clean = { ...process.env, ...env };
  for (const name of Object.keys(clean))
    if (/^(__)?LARDER_/.test(name) || name === 'NEXT_PHASE') delete clean[name];
  const out = execFileSync(process.execPath, ['program.js', ...args], {
    cwd: dir,
    env: { ...clean, ...env },
    encoding: 'utf8',
  });
  return { dir, out: JSON.parse(out) };
}

const NEXT = path.join(HOME, 'lib/next.js');
const USE = path.join(HOME, 'lib/use-cache.js');

test('16: the handler, images, traced files; the rest as it was', (t) => {
  const { out } = inApp(
    t,
    '16.4.6',
    'return withLarder({ reactStrictMode: true, images: { formats: ["image/webp"] } })',
  );
  assert.equal(out.cacheHandler, NEXT);
  assert.equal(out.reactStrictMode, true);
  assert.deepEqual(out.images, { customCacheHandler: true, formats: ['image/webp'] });
  assert.ok(out.outputFileTracingIncludes['/*'][0].endsWith('/prebuilds/**/*'));
  assert.ok(!path.isAbsolute(out.outputFileTracingIncludes['/*'][0]));
  assert.equal(out.cacheHandlers, undefined);
  assert.equal(out.cacheMaxMemorySize, undefined, 'use cache without a handler keeps its memory');
});

test('16 with use cache', (t) => {
  const { out } = inApp(t, '16.4.6', 'return withLarder({ cacheComponents: true }, { useCache: true })');
  assert.deepEqual(out.cacheHandlers, { default: USE, remote: USE });
  assert.equal(out.cacheMaxMemorySize, 0);
  const some = inApp(
    t,
    '16.4.6',
    'return withLarder({ cacheHandlers: { default: "/own.js" } }, { useCache: ["default", "sessions"] })',
  ).out;
  assert.deepEqual(some.cacheHandlers, { default: '/own.js', sessions: USE }, 'what is set wins');
});

test('16.1 and images: false: no image handler', (t) => {
  assert.equal(inApp(t, '16.1.7', 'return withLarder({})').out.images, undefined);
  assert.equal(inApp(t, '16.4.6', 'return withLarder({}, { images: false })').out.images, undefined);
  assert.deepEqual(
    inApp(t, '16.4.6', 'return withLarder({ images: { customCacheHandler: false } })').out.images,
    { customCacheHandler: false },
  );
});

test('without an addon images stay with Next.js', (t) => {
  const { out } = inApp(t, '16.4.6', 'state().native = { load: () => null }; return withLarder({})');
  assert.equal(out.images, undefined);
  assert.equal(out.cacheHandler, NEXT);
});

test('15.5: cacheHandlers are experimental', (t) => {
  const { out } = inApp(
    t,
    '15.5.29',
    'return withLarder({ experimental: { useCache: true } }, { useCache: "default" })',
  );
  assert.deepEqual(out.experimental, { useCache: true, cacheHandlers: { default: USE } });
  assert.ok(out.outputFileTracingIncludes['/*'].length > 0);
  assert.equal(out.cacheMaxMemorySize, 0);
  const own = inApp(t, '15.5.29', 'return withLarder({ experimental: { useCache: true } })').out;
  assert.equal(own.cacheMaxMemorySize, undefined, 'its own handler needs memory');
});

test('14: tracing is experimental, and there is no use cache', (t) => {
  const { out } = inApp(
    t,
    '14.2.35',
    'return withLarder({ experimental: { outputFileTracingIncludes: { "/*": ["a"], "/x": ["b"] } } }, { useCache: true })',
  );
  const includes = out.experimental.outputFileTracingIncludes;
  assert.equal(includes['/*'][0], 'a');
  assert.deepEqual(includes['/x'], ['b']);
  assert.equal(out.outputFileTracingIncludes, undefined);
  assert.equal(out.cacheHandlers ?? out.experimental.cacheHandlers, undefined);
  assert.equal(out.cacheMaxMemorySize, 0);
});

test('14.0: under its old name', (t) => {
  const { out } = inApp(t, '14.0.4', 'return withLarder({})');
  assert.equal(out.experimental.incrementalCacheHandlerPath, NEXT);
  assert.equal(out.cacheHandler, undefined);
});

test('import { withLarder } works', (t) => {
  const { out } = inApp(
    t,
    '16.4.6',
    `const m = await import(${JSON.stringify(path.join(HOME, 'lib/index.js'))}); return Object.keys(m).sort()`,
  );
  for (const name of ['openStore', 'revalidateTag', 'withLarder']) assert.ok(out.includes(name), name);
});

test('a config that is a function stays one', (t) => {
  const { out } = inApp(
    t,
    '16.4.6',
    `
    const config = withLarder(async (phase, { defaultConfig }) => ({ env: { phase, d: defaultConfig } }));
    return config('phase-production-server', { defaultConfig: 'default' });`,
  );
  assert.deepEqual(out.env, { phase: 'phase-production-server', d: 'default' });
  assert.equal(out.cacheHandler, NEXT);
});

test('what was given is not changed', (t) => {
  const { out } = inApp(
    t,
    '14.2.35',
    'const c = { experimental: {}, images: {} }; withLarder(c, { useCache: true }); return c',
  );
  assert.deepEqual(out, { experimental: {}, images: {} });
});

test('a mistake in larder.json stops the build, with file and line', (t) => {
  const files = { 'larder.json': '{\n  "cache": fs\n}' };
  assert.match(
    inApp(t, '16.4.6', 'return withLarder({})', { files }).out.threw,
    /^larder\.json:2: fs is not JSON$/,
  );
});

test('larder.json is traced', (t) => {
  const { out } = inApp(t, '16.4.6', 'return withLarder({})', {
    files: { 'larder.json': '{"cache":"memory:"}' },
  });
  assert.ok(out.outputFileTracingIncludes['/*'].includes('./larder.json'));
});

test('a build records the epoch and its options before anything is rendered', (t) => {
  const begin = Date.now();
  const { dir } = inApp(
    t,
    '16.4.6',
    'store.table.data.epoch = 42; withLarder({ distDir: "out" }, { namespace: "shop" })',
    { args: ['build'] },
  );
  const record = JSON.parse(fs.readFileSync(path.join(dir, 'out/cache/larder-build.json'), 'utf8'));
  assert.equal(record.epoch, 42);
  assert.ok(record.at >= begin && record.at <= Date.now());
  assert.deepEqual(JSON.parse(fs.readFileSync(path.join(dir, 'out/cache/larder-options.json'), 'utf8')), {
    namespace: 'shop',
  });
});

test('next build apps/web: the folder in the arguments, for its workers as well', (t) => {
  const files = {
    'apps/web/next.config.js': '',
    'apps/web/larder.json': '{"cache":"memory:"}',
    'apps/web/node_modules/next/package.json': '{"version":"14.2.35"}',
  };
  const { dir, out } = inApp(t, '16.4.6', 'withLarder({}); return process.env.__LARDER_DIR', {
    files,
    args: ['build', '--debug', 'apps/web'],
  });
  assert.equal(out, path.join(dir, 'apps/web'));
  assert.ok(fs.existsSync(path.join(dir, 'apps/web/.next/cache/larder-build.json')));
  const worker = inApp(t, '16.4.6', 'return [withLarder({}), state().distDir]', {
    args: [],
    env: { IS_NEXT_WORKER: 'true', __LARDER_DIR: '/srv/web' },
  }).out;
  assert.equal(worker[1], '/srv/web/.next');
});

test('a function is told that it is a build', (t) => {
  const { dir } = inApp(t, '16.4.6', 'await withLarder(() => ({}))("phase-production-build", {})', {
    args: [],
  });
  assert.ok(fs.existsSync(path.join(dir, '.next/cache/larder-build.json')));
});

test('neither a server nor a process that a build started records', (t) => {
  for (const options of [{ args: ['start'] }, { args: ['build'], env: { IS_NEXT_WORKER: 'true' } }]) {
    const { dir } = inApp(t, '16.4.6', 'withLarder({})', options);
    assert.ok(!fs.existsSync(path.join(dir, '.next')));
  }
});

test('a store that does not answer: 0, after a moment, and the build goes on', (t) => {
  const { dir, out } = inApp(
    t,
    '16.4.6',
    `
    store.check = store.epoch = () => new Promise(() => {});
    const waited = [];
    store.drain = (ms) => { waited.push(ms); return false; };
    withLarder({});
    return [waited, process.env.__LARDER_OFFLINE];`,
    { args: ['build'] },
  );
  assert.deepEqual(out, [[500], '1'], 'what it may wait at most, once');
  assert.equal(JSON.parse(fs.readFileSync(path.join(dir, '.next/cache/larder-build.json'), 'utf8')).epoch, 0);
});

test('a store that does not answer: what was noted before stays, for it is older than this build', (t) => {
  const note = '{"build":1,"epoch":5,"tag":"larder:build:1","at":6}\n';
  const { dir } = inApp(
    t,
    '16.4.6',
    `
    const fs = require('node:fs');
    store.check = () => new Promise(() => {});
    store.drain = () => false;
    fs.mkdirSync('.next/cache', { recursive: true });
    fs.writeFileSync('.next/cache/larder-build.json', ${JSON.stringify(note)});
    withLarder({});`,
    { args: ['build'] },
  );
  assert.equal(fs.readFileSync(path.join(dir, '.next/cache/larder-build.json'), 'utf8'), note);
});

test('the standalone output gets the epoch, and the marks of the default store', (t) => {
  const { dir } = inApp(
    t,
    '16.4.6',
    `
    const fs = require('node:fs');
    withLarder({ output: 'standalone' });
    for (const d of ['.next/cache/larder', '.next/standalone/deep/' + require('node:path').basename(process.cwd()) + '/.next']) fs.mkdirSync(d, { recursive: true });
    fs.writeFileSync('.next/standalone/deep/' + require('node:path').basename(process.cwd()) + '/.next/BUILD_ID', 'b');
    fs.writeFileSync('.next/cache/larder/marks', 'm');`,
    { args: ['build'] },
  );
  // "deep" is no folder above the application, so it is not where the application lies.
  assert.ok(!fs.existsSync(path.join(dir, '.next/standalone/deep', path.basename(dir), '.next/cache')));

  const app = inApp(
    t,
    '16.4.6',
    `
    const fs = require('node:fs'), path = require('node:path');
    withLarder({ output: 'standalone' });
    const at = path.join('.next/standalone', path.basename(process.cwd()), '.next');
    fs.mkdirSync('.next/cache/larder', { recursive: true });
    fs.mkdirSync(at, { recursive: true });
    fs.writeFileSync(path.join(at, 'BUILD_ID'), 'b');
    fs.writeFileSync('.next/cache/larder/marks', 'm');`,
    { args: ['build'] },
  ).dir;
  const cache = path.join(app, '.next/standalone', path.basename(app), '.next/cache');
  assert.deepEqual(fs.readdirSync(cache).sort(), ['larder', 'larder-build.json', 'larder-options.json']);
  assert.deepEqual(fs.readdirSync(path.join(cache, 'larder')), ['marks']);
});

test('a build without withLarder(): the first handler of each process records', (t) => {
  const { dir } = inApp(
    t,
    '16.4.6',
    `
    const Handler = require(${JSON.stringify(NEXT)});
    store.table.data.epoch = 7;
    const serverDistDir = require('node:path').resolve('.next/server');
    new Handler({ serverDistDir });
    store.table.data.epoch = 8;
    new Handler({ serverDistDir });`,
    { env: { NEXT_PHASE: 'phase-production-build', IS_NEXT_WORKER: 'true' } },
  );
  const lines = fs.readFileSync(path.join(dir, '.next/cache/larder-build.json'), 'utf8').trim().split('\n');
  assert.equal(lines.length, 1);
  assert.equal(JSON.parse(lines[0]).epoch, 7);
});

test('the edge runtime gets handlers that touch nothing', (t) => {
  const { out } = inApp(
    t,
    '16.4.6',
    `
    const before = Object.keys(require.cache).length;
    const H = require(${JSON.stringify(NEXT)});
    const u = require(${JSON.stringify(USE)});
    const h = new H({});
    await h.set('k', {}, {}); await h.revalidateTag(['t']); h.resetRequestCache();
    return { get: await h.get('k'), use: (await u.get('k', [])) ?? null, expiration: await u.getExpiration([]),
      loaded: Object.keys(require.cache).filter((f) => /handler|native\\.js/.test(f) && !/fake-native/.test(f)) };`,
    { env: { NEXT_RUNTIME: 'edge' } },
  );
  assert.deepEqual(out, { get: null, use: null, expiration: 0, loaded: [] });
});
