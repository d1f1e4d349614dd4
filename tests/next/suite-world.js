'use strict';
/* What is around a server: no store, a broken one, an end in the middle, another folder, `next dev`. */
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test, Server, revalidate, stored, assert } = require('./harness.js');

/** Answers that are right, and never from the cache. */
async function worksWithMisses(server) {
  for (const url of ['/', '/isr', '/post/1', '/p/built', '/api/item/built', '/data', '/post/new']) {
    for (let i = 0; i < 2; i++) {
      const r = await server.get(url);
      assert.equal(r.status, 200, `${url}: ${r.body.slice(0, 200)}`);
      assert.notEqual(r.cache, 'STALE', url);
    }
  }
  const r = await server.get('/api/revalidate?tag=posts&path=/isr');
  assert.equal(r.status, 200);
}

/** @param {{ major: number, app: string, start: string[], env: Record<string, string>, origin: any, fake: boolean }} world */
async function world({ major, app, start, env, origin, fake }) {
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-next-'));
  const withServer = async (cwd, args, extra, fn) => {
    const server = new Server(cwd, args, { ...env, ...extra });
    try {
      await server.start('/post/ready');
      return await fn(server);
    } finally {
      await server.stop();
    }
  };

  await test('SIGTERM: what was being stored is stored', async () => {
    const store = path.join(scratch, 'term');
    const extra = fake ? { LARDER_FAKE_FILE: store } : { LARDER_CACHE: `fs:${store}` };
    const urls = Array.from({ length: 5 }, (_, i) => `/big/term-${i}`);
    const { first, how } = await withServer(app, start, extra, async (server) => {
      const first = await Promise.all(urls.map((url) => server.get(url)));
      return { first, how: await server.stop('SIGTERM') };
    });
    assert.ok(how.code === 0 || how.code === 143, JSON.stringify(how));
    await withServer(app, start, extra, async (server) => {
      for (const [i, url] of urls.entries()) {
        const r = await server.get(url);
        assert.equal(r.cache, 'HIT', url);
        assert.equal(r.serial, first[i].serial);
      }
    });
  });

  if (!fake) {
    await test('no native module: said once, and everything works', async () => {
      await withServer(app, start, { LARDER_NODE_ADDON: path.join(scratch, 'none.node') }, async (server) => {
        await worksWithMisses(server);
        assert.equal(server.complaints().length, 1, server.complaints().join('\n'));
      });
    });

    await test('a driver that cannot be loaded: said once, and everything works', async () => {
      await withServer(app, start, { LARDER_CACHE: path.join(scratch, 'none.so') }, async (server) => {
        await worksWithMisses(server);
        assert.equal(server.complaints().length, 1, server.complaints().join('\n'));
      });
    });

    await test('a folder that cannot be written: said, not on each request, and everything works', async () => {
      await withServer(app, start, { LARDER_CACHE: 'fs:/proc/larder' }, async (server) => {
        await worksWithMisses(server);
        const lines = server.complaints().length;
        assert.ok(lines >= 1 && lines <= 4, server.complaints().join('\n'));
      });
    });

    await test('a setting that does not exist is named', async () => {
      await withServer(
        app,
        start,
        { LARDER_CACHE_BUKCET: 'x', LARDER_CACHE: `fs:${scratch}/x?nonsense=1` },
        async (server) => {
          assert.equal((await server.get('/')).status, 200);
          assert.match(server.complaints().join('\n'), /nonsense/);
        },
      );
    });
  }

  await test('the standalone output, elsewhere, has all it needs', async () => {
    const home = path.join(scratch, 'standalone');
    fs.cpSync(path.join(app, '.next/standalone'), home, { recursive: true, verbatimSymlinks: true });
    const { dir } = findServer(home);
    const extra = fake ? { LARDER_FAKE_FILE: path.join(scratch, 'standalone-store') } : {};
    await withServer(dir, ['server.js'], extra, async (server) => {
      const html = fs.readFileSync(path.join(dir, '.next/server/app/isr.html'), 'utf8');
      const built = await server.get('/isr');
      assert.equal(built.status, 200);
      assert.equal(built.serial, html.match(/\[serial:([^\]]*)\]/)[1], 'the first deploy has what was built');
      assert.equal(built.cache, 'HIT');
      // Until it is stored, Next.js 14 gives whoever asks the rendering, and calls it a MISS.
      const first = await stored(server, '/post/standalone');
      const second = await server.get('/post/standalone');
      assert.equal(second.cache, 'HIT');
      assert.equal(second.serial, first.serial);
      await revalidate(server, 'tag=posts');
      assert.notEqual((await server.get('/post/standalone')).serial, first.serial);
      assert.deepEqual(server.complaints(), []);
    });
  });

  await test('a second start has what the first one cached', async () => {
    const extra = fake
      ? { LARDER_FAKE_FILE: path.join(scratch, 'restart') }
      : { LARDER_CACHE: `fs:${scratch}/restart` };
    const first = await withServer(app, start, extra, async (server) => {
      await stored(server, '/post/restart');
      return server.get('/post/restart');
    });
    await withServer(app, start, extra, async (server) => {
      const r = await server.get('/post/restart');
      assert.equal(r.cache, 'HIT');
      assert.equal(r.serial, first.serial);
    });
  });

  await test('next dev works', async () => {
    const copy = path.join(app, '.next-dev');
    const server = new Server(app, [start[0], 'dev', '-p', '{port}', '-H', '127.0.0.1'], {
      ...env,
      NODE_ENV: 'development',
      FIXTURE_DIST: '.next-dev',
    });
    try {
      await server.start('/post/ready');
      const one = await server.get('/post/dev');
      assert.equal(one.status, 200, one.body.slice(0, 300));
      const n = (await server.get('/data')).n;
      assert.equal((await server.get('/data')).n, n);
      assert.equal((await server.get('/api/revalidate?tag=fetch')).status, 200);
      assert.equal((await server.get('/data')).status, 200);
      assert.deepEqual(server.complaints(), []);
    } finally {
      await server.stop();
      fs.rmSync(copy, { recursive: true, force: true });
    }
  });

  fs.rmSync(scratch, { recursive: true, force: true });
}

/** server.js lies at the place that the app has below the tracing root. */
function findServer(home) {
  const queue = [home];
  while (queue.length > 0) {
    const dir = queue.shift();
    if (fs.existsSync(path.join(dir, 'server.js')) && fs.existsSync(path.join(dir, '.next'))) return { dir };
    for (const entry of fs.readdirSync(dir, { withFileTypes: true })) {
      if (entry.isDirectory() && entry.name !== 'node_modules') queue.push(path.join(dir, entry.name));
    }
  }
  throw new Error(`no server.js in ${home}`);
}

module.exports = { world, worksWithMisses };
