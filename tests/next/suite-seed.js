'use strict';
/*
 * A deploy with `larder seed`: the build's output goes into a store with no entry in it, and then every
 * prerendered page is a HIT by its first request, in a process on whose disk nothing of it is left.
 */
const fs = require('node:fs');
const path = require('node:path');
const { test, eventually, run, sleep, revalidate, Server, assert } = require('./harness.js');

/** Longer than the second after which a process tells the store which build it runs. */
const NOTED_MS = 1500;

/** What is in the way if an answer is to come from the store alone: all but what Next.js needs to start. */
const ENDINGS = ['.html', '.rsc', '.body', '.json', '.meta', '.segments'];

/** @param {{ app: string, start: string[], env: Record<string, string>, origin: any, program: string }} world */
async function seed({ app, start, env, origin, program }) {
  const dist = path.join(app, '.next');
  const away = path.join(app, 'away');
  const store = path.join(app, 'seeded');
  const cache = `fs:${store}`;
  const { routes } = JSON.parse(fs.readFileSync(path.join(dist, 'prerender-manifest.json'), 'utf8'));
  const pages = Object.keys(routes).filter((route) => route !== '/_not-found' && !route.startsWith('/_global'));
  const larder = async (...args) => {
    const { code, output } = await run(program, [...args, '--cache', cache], { cwd: app });
    assert.equal(code, 0, output);
    return output;
  };
  const files = pages.flatMap((route) => {
    const name = route === '/' ? '/index' : route;
    return ['app', 'pages'].flatMap((router) =>
      ENDINGS.map((ending) => path.join('server', router, name + ending)).filter((f) => fs.existsSync(path.join(dist, f))),
    );
  });
  const move = (from, to) => {
    for (const file of files) {
      fs.mkdirSync(path.dirname(path.join(to, file)), { recursive: true });
      fs.renameSync(path.join(from, file), path.join(to, file));
    }
  };
  /** The mark by which the page was built: of its html, or of the header of a route handler. */
  const built = (route) => {
    const name = route === '/' ? '/index' : route;
    const read = (f) => fs.readFileSync(path.join(away, 'server', f), 'utf8');
    for (const html of [`app${name}.html`, `pages${name}.html`]) {
      if (files.includes(path.join('server', html))) return read(html).match(/\[serial:([^\]]*)\]/)?.[1];
    }
    return JSON.parse(read(`app${name}.meta`)).headers['x-made'];
  };
  const markOf = (r) => r.headers['x-made'] ?? r.serial;

  // The store that the build saw, with its marks and without an entry.
  fs.rmSync(store, { recursive: true, force: true });
  fs.cpSync(path.join(dist, 'cache/larder'), store, { recursive: true });

  await test('larder seed: all that was prerendered, and nothing twice', async () => {
    await larder('rm', '--everything');
    assert.equal(await larder('ls'), '');
    const first = JSON.parse(await larder('seed', '--json'));
    assert.equal(first.seeded, Object.keys(routes).length, JSON.stringify(first));
    assert.equal(first.missing + first.failed + first.older + first.gone, 0, JSON.stringify(first));
    const second = JSON.parse(await larder('seed', '--json'));
    assert.equal(second.seeded, 0);
    assert.equal(second.present, first.seeded);
  });

  move(dist, away);
  const server = new Server(app, start, { ...env, LARDER_CACHE: cache });
  try {
    await test('the first request of every prerendered page is a HIT out of the store', async () => {
      await server.start();
      const asked = new Map(origin.asked);
      for (const route of pages) {
        if (route === '/short') continue; // due two seconds after the build
        const r = await server.get(route);
        assert.equal(r.cache, 'HIT', `${route}: ${r.status}`);
        assert.ok(r.status < 400, route);
        if (built(route) !== undefined) assert.equal(markOf(r), built(route), `${route} is the build's`);
      }
      assert.deepEqual(origin.asked, asked, 'nothing was rendered');
      const stats = JSON.parse((await server.get('/api/stats')).body);
      assert.equal(stats.misses + stats.gone + stats.puts, 0, JSON.stringify(stats));
      assert.deepEqual(server.complaints(), []);
    });

    await test('an entry that was seeded is revalidated as any other', async () => {
      const n = origin.bump('post-1');
      await revalidate(server, 'tag=posts');
      assert.equal((await server.get('/post/1')).n, n);
    });

    await test('larder prune knows which build runs, and takes what others left', async () => {
      const id = fs.readFileSync(path.join(dist, 'BUILD_ID'), 'utf8').trim();
      await sleep(NOTED_MS);
      await larder('put', '/old', '--build', 'before', '--meta', 'null');
      const gone = JSON.parse(await larder('prune', '--keep', '0', '--json'));
      assert.equal(gone.removed, 1);
      assert.equal(gone.current, id);
      assert.equal((await server.get('/isr')).cache, 'HIT');
    });
  } finally {
    await server.stop();
    move(away, dist);
    fs.rmSync(away, { recursive: true, force: true });
  }

  await test('what was revalidated between build and seed is not brought back', async () => {
    await larder('rm', '--everything');
    await larder('revalidate', 'isr');
    const told = JSON.parse(await larder('seed', '--json'));
    assert.ok(told.gone >= 1, JSON.stringify(told));
    const n = origin.bump('isr');
    const again = new Server(app, start, { ...env, LARDER_CACHE: cache });
    try {
      await again.start();
      const r = await again.get('/isr');
      assert.equal(r.n, n);
      await eventually(async () => assert.equal((await again.get('/isr')).cache, 'HIT'));
    } finally {
      await again.stop();
    }
  });
  fs.rmSync(store, { recursive: true, force: true });
}

module.exports = { seed };
