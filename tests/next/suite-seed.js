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
/** Of what is prerendered; without them an answer can come from the store alone. */
const ENDINGS = ['.html', '.rsc', '.body', '.json', '.meta', '.segments'];

/** What one build prerendered, and a store of its own for it. */
class Deploy {
  /** @param {{ app: string, start: string[], env: Record<string, string>, program: string }} world */
  constructor({ app, start, env, program }) {
    Object.assign(this, { app, start, env, program });
    this.dist = path.join(app, '.next');
    this.away = path.join(app, 'away');
    this.store = path.join(app, 'seeded');
    this.cache = `fs:${this.store}`;
    const { routes } = JSON.parse(fs.readFileSync(path.join(this.dist, 'prerender-manifest.json'), 'utf8'));
    this.routes = Object.keys(routes);
    /** Without those that Next.js needs before anybody asks. */
    this.pages = this.routes.filter((route) => route !== '/_not-found' && !route.startsWith('/_global'));
    const there = (file) => fs.existsSync(path.join(this.dist, file));
    this.files = this.pages.flatMap((route) =>
      ['app', 'pages'].flatMap((router) =>
        ENDINGS.map((ending) => path.join('server', router, this.#name(route) + ending)).filter(there),
      ),
    );
    // The store that the build saw, with its marks; what is in it goes by `larder rm`.
    fs.rmSync(this.store, { recursive: true, force: true });
    fs.cpSync(path.join(this.dist, 'cache/larder'), this.store, { recursive: true });
  }

  #name(route) {
    return route === '/' ? '/index' : route;
  }

  url(route) {
    return route.split('/').map(encodeURIComponent).join('/');
  }

  async larder(...args) {
    const { code, output } = await run(this.program, [...args, '--cache', this.cache], { cwd: this.app });
    assert.equal(code, 0, output);
    return output;
  }

  /** Seeds a store without entries: what the command told. */
  async seed() {
    await this.larder('rm', '--everything');
    return JSON.parse(await this.larder('seed', '--json'));
  }

  server() {
    return new Server(this.app, this.start, { ...this.env, LARDER_CACHE: this.cache });
  }

  /** The mark by which a page was built: in its html, or in a header of a route handler; undefined: it has none. */
  built(route) {
    const read = (file) => fs.readFileSync(path.join(this.away, file), 'utf8');
    for (const router of ['app', 'pages']) {
      const html = path.join('server', router, `${this.#name(route)}.html`);
      if (this.files.includes(html)) return read(html).match(/\[serial:([^\]]*)\]/)?.[1];
    }
    return JSON.parse(read(path.join('server/app', `${this.#name(route)}.meta`))).headers['x-made'];
  }

  #move(from, to) {
    for (const file of this.files) {
      fs.mkdirSync(path.dirname(path.join(to, file)), { recursive: true });
      fs.renameSync(path.join(from, file), path.join(to, file));
    }
  }

  /** With a server that has the store alone. */
  async without(fn) {
    this.#move(this.dist, this.away);
    const server = this.server();
    try {
      await fn(server);
    } finally {
      await server.stop();
      this.#move(this.away, this.dist);
      fs.rmSync(this.away, { recursive: true, force: true });
    }
  }

  end() {
    fs.rmSync(this.store, { recursive: true, force: true });
  }
}

const stats = async (server) => JSON.parse((await server.get('/api/stats')).body);
const markOf = (r) => r.headers['x-made'] ?? r.serial;

/** @param {{ app: string, start: string[], env: Record<string, string>, origin: any, program: string }} world */
async function seed(world) {
  const { origin } = world;
  const deploy = new Deploy(world);

  await test('larder seed: all that was prerendered, and nothing twice', async () => {
    const first = await deploy.seed();
    assert.equal(first.seeded, deploy.routes.length, JSON.stringify(first));
    assert.equal(first.missing + first.failed + first.older + first.gone, 0, JSON.stringify(first));
    const second = JSON.parse(await deploy.larder('seed', '--json'));
    assert.equal(second.seeded, 0);
    assert.equal(second.present, first.seeded);
  });

  await deploy.without(async (server) => {
    await test('the first request of every prerendered page is a HIT out of the store', async () => {
      await server.start();
      const asked = new Map(origin.asked);
      for (const route of deploy.pages) {
        if (route === '/short') continue; // due two seconds after the build
        const r = await server.get(deploy.url(route));
        assert.equal(r.cache, 'HIT', `${route}: ${r.status}`);
        assert.ok(r.status < 400, route);
        if (deploy.built(route) !== undefined) assert.equal(markOf(r), deploy.built(route), `${route} is the build's`);
      }
      assert.deepEqual(origin.asked, asked, 'nothing was rendered');
      const { misses, gone, puts } = await stats(server);
      assert.deepEqual({ misses, gone, puts }, { misses: 0, gone: 0, puts: 0 });
      assert.deepEqual(server.complaints(), []);
    });

    await test('an entry that was seeded is revalidated as any other', async () => {
      const n = origin.bump('post-1');
      await revalidate(server, 'tag=posts');
      assert.equal((await server.get('/post/1')).n, n);
    });

    await test('larder prune knows which build runs, and takes what others left', async () => {
      const id = fs.readFileSync(path.join(deploy.dist, 'BUILD_ID'), 'utf8').trim();
      await sleep(NOTED_MS);
      await deploy.larder('put', '/old', '--build', 'before', '--meta', 'null');
      const told = JSON.parse(await deploy.larder('prune', '--keep', '0', '--json'));
      assert.equal(told.removed, 1);
      assert.equal(told.current, id);
      assert.equal((await server.get('/isr')).cache, 'HIT');
    });
  });

  await test('what was revalidated between build and seed is not brought back', async () => {
    await deploy.larder('revalidate', 'isr');
    const told = await deploy.seed();
    assert.ok(told.gone >= 1, JSON.stringify(told));
    const n = origin.bump('isr');
    const server = deploy.server();
    try {
      await server.start();
      assert.equal((await server.get('/isr')).n, n);
      await eventually(async () => assert.equal((await server.get('/isr')).cache, 'HIT'));
    } finally {
      await server.stop();
    }
  });
  deploy.end();
}

/** Pages with 'use cache': whole ones, and from 16 on shells whose rest is rendered for each request. */
async function seedShells(world) {
  const deploy = new Deploy(world);
  await test('larder seed: pages of cached parts and shells come out of the store alone', async () => {
    const told = await deploy.seed();
    assert.equal(told.missing + told.failed + told.older + told.gone, 0, JSON.stringify(told));
    await deploy.without(async (server) => {
      await server.start();
      const asked = new Map(world.origin.asked);
      let shells = 0;
      for (const route of deploy.pages) {
        const r = await server.get(deploy.url(route));
        assert.equal(r.status, 200, route);
        assert.equal(r.serial, deploy.built(route), `${route} is the build's`);
        if (r.headers['x-nextjs-postponed']) shells++;
        else assert.equal(r.cache, 'HIT', route);
      }
      assert.deepEqual(world.origin.asked, asked, 'no cached part was rendered');
      assert.equal(shells > 0, world.major >= 16);
    });
  });
  deploy.end();
}

module.exports = { seed, seedShells };
