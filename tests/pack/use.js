'use strict';
// Runs in the application's folder: the installed package, and nothing else, stores and reads a page.

const { test } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { createRequire } = require('node:module');

const fromApp = createRequire(path.join(process.cwd(), 'package.json'));
const installed = path.join(fs.realpathSync(process.cwd()), 'node_modules/larder');

test('the package is in the application and has no dependencies', () => {
  assert.equal(path.dirname(fromApp.resolve('larder/package.json')), installed);
  assert.deepEqual(fs.readdirSync('node_modules').filter((name) => !name.startsWith('.')), ['larder']);
  assert.equal(fromApp('larder/package.json').dependencies, undefined);
});

test('all its entry points load, and all its types are there', () => {
  const { exports } = fromApp('larder/package.json');
  for (const [name, target] of Object.entries(exports)) {
    assert.ok(fromApp(path.posix.join('larder', name)), name);
    if (target.types) assert.ok(fs.existsSync(path.join(installed, target.types)), target.types);
  }
});

test('withLarder() names handlers inside the package', () => {
  const { withLarder } = fromApp('larder');
  const config = withLarder({ poweredByHeader: false }, { cache: 'memory:' });
  const resolved = typeof config === 'function' ? config('phase-production-server', {}) : config;
  assert.equal(resolved.poweredByHeader, false);
  assert.ok(resolved.cacheHandler.startsWith(installed + path.sep), resolved.cacheHandler);
  assert.ok(fs.existsSync(resolved.cacheHandler));
});

test('the handler stores and reads a page with the drivers of the package', async () => {
  process.env.LARDER_CACHE = `fs:${path.join(process.cwd(), 'cache')}`;
  delete process.env.LARDER_NODE_ADDON;
  delete process.env.LARDER_DRIVER_PATH;
  const Handler = fromApp('larder/next');
  const context = { dev: false, flushToDisk: true, serverDistDir: path.resolve('.next/server'), revalidatedTags: [], _requestHeaders: {} };
  const get = () => new Handler(context).get('/post/1', { kind: 'APP_PAGE', isFallback: false });
  assert.equal(await get(), null);
  const page = { kind: 'APP_PAGE', html: '<p>grüße</p>', rscData: Buffer.from('rsc'), headers: { 'x-next-cache-tags': 'posts' }, status: 200 };
  await new Handler(context).set('/post/1', page, { cacheControl: { revalidate: 60, expire: 3600 } });
  const { value } = await get();
  assert.equal(value.html, page.html);
  assert.deepEqual(Buffer.from(value.rscData), page.rscData);
  await new Handler(context).revalidateTag(['posts']);
  assert.equal(await get(), null);
});
