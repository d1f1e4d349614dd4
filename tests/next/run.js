#!/usr/bin/env node
'use strict';
/*
 * Real Next.js on a Larder store: builds the fixture with each version, and drives two servers on
 * one store over HTTP.
 *
 *   node tests/next/run.js [14.2.35 15.5.29 16.4.6]
 *     --filter TEXT   only tests whose title matches        --quick  no second builds
 *     --suite NAME    seed, pages, drill, use-cache, world, webpack or pack; may be repeated
 *     --fake          a table in a file in place of the addon (bindings/node/test/fake-native.js)
 *     --installed     trust what is in build/next; no npm install
 *     --built         trust the build of an earlier run, of the same suite
 *
 * Packages go to build/next/<version>; npm is used to install them and nothing else.
 */
const fs = require('node:fs');
const path = require('node:path');
const { run, Server, Origin, test, group, filter, counts, assert } = require('./harness.js');
const { PACKAGE, BUILD, PROGRAM, npm, pack, install, lay, build, clean, startArgs } = require('./app.js');
const { pages } = require('./suite-pages.js');
const { useCache } = require('./suite-use-cache.js');
const { world } = require('./suite-world.js');
const { seed, seedShells } = require('./suite-seed.js');
const { rehearse, SHORT } = require('./drill/drill.js');

/** A build, on a machine that is busy. */
const BUILD_MS = 240_000;
const DEFAULT_VERSIONS = ['14.2.35', '15.5.29', '16.4.6'];

function options(argv) {
  const out = { versions: [], suites: new Set(), fake: false, quick: false, installed: false, built: false };
  for (let i = 0; i < argv.length; i++) {
    if (argv[i] === '--filter') filter(argv[++i]);
    else if (argv[i] === '--suite') out.suites.add(argv[++i]);
    else if (argv[i] === '--fake') out.fake = true;
    else if (argv[i] === '--quick') out.quick = true;
    else if (argv[i] === '--installed') out.installed = true;
    else if (argv[i] === '--built') out.built = true;
    else if (/^\d+\.\d+\.\d+/.test(argv[i])) out.versions.push(argv[i]);
    else throw new Error(`what is ${argv[i]}?`);
  }
  if (out.versions.length === 0) out.versions = DEFAULT_VERSIONS;
  return out;
}

/** The fixture without what bundlers do not matter for. */
function layEdge(dir, major) {
  lay(dir, 'fixture', major);
  for (const name of ['big', 'data', 'flaky', 'go', 'gone', 'isr', 'short', 'api/item', 'api/draft']) {
    fs.rmSync(path.join(dir, 'app', name), { recursive: true });
  }
  fs.rmSync(path.join(dir, 'pages'), { recursive: true });
}

function complaints(output) {
  return output.split('\n').filter((line) => line.includes('larder:'));
}

async function withTwo(dir, start, env, fn) {
  const a = new Server(dir, start, env);
  const b = new Server(dir, start, env);
  try {
    await a.start();
    await b.start();
    await fn(a, b);
  } finally {
    await Promise.all([a.stop(), b.stop()]);
  }
}

async function version(text, tarball, opts) {
  const major = Number.parseInt(text, 10);
  const wants = (suite) => opts.suites.size === 0 || opts.suites.has(suite);
  const dir = await install(text, tarball, opts);
  const start = startArgs(dir);
  const origin = new Origin();
  await origin.listen();
  const env = { ORIGIN: origin.url };
  if (opts.fake) {
    env.NODE_OPTIONS = `--require ${path.join(PACKAGE, 'test/fake-preload.js')}`;
    env.LARDER_FAKE_FILE = path.join(dir, 'fake-store');
  }
  try {
    const drills = wants('drill') && major >= 16 && !opts.fake; // its application is for these
    const seeds = wants('seed') && !opts.fake;
    if (wants('pages') || drills || wants('world') || seeds) {
      group(`Next.js ${text}`);
      let built = opts.built;
      if (!built) lay(dir, 'fixture', major);
      if (!built)
        await test(
          'next build',
          async () => {
            const { output } = await build(dir, env);
            assert.deepEqual(complaints(output), [], output);
            built = true;
          },
          BUILD_MS,
        );
      if (built && seeds) await seed({ app: dir, start, env, origin, program: PROGRAM });
      if (built && wants('pages')) {
        await withTwo(dir, start, env, (a, b) => pages({ major, app: dir, a, b, origin }));
      }
      if (built && drills) await drill(text, dir, origin);
      if (built && wants('world')) await world({ major, app: dir, start, env, origin, fake: opts.fake });
    }
    if ((wants('use-cache') || seeds) && major >= 15) {
      group(`Next.js ${text}, 'use cache'`);
      let built = opts.built;
      if (!built) lay(dir, 'use-cache', major);
      if (!built)
        await test(
          'next build',
          async () => {
            const { output } = await build(dir, env);
            assert.deepEqual(complaints(output), [], output);
            built = true;
          },
          BUILD_MS,
        );
      if (built && seeds) await seedShells({ major, app: dir, start, env, origin, program: PROGRAM });
      if (built && wants('use-cache')) await withTwo(dir, start, env, (a, b) => useCache({ major, app: dir, a, b, origin }));
    }
    if (wants('webpack') && major >= 16 && !opts.quick) {
      group(`Next.js ${text}, bundlers`);
      layEdge(dir, major);
      await test(
        'next build --webpack, and its edge function, proxy and pages',
        async () => {
          await build(dir, env, ['--webpack']);
          await withTwo(dir, start, env, async (a, b) => {
            assert.equal((await a.get('/api/edge')).status, 200);
            assert.equal((await a.get('/api/bin')).headers['x-middleware'], 'yes');
            const first = await a.get('/post/webpack');
            assert.equal((await b.get('/post/webpack')).serial, first.serial);
          });
        },
        BUILD_MS,
      );
      // With webpack it is what 14 and 15 build.
      layEdge(dir, major);
      fs.rmSync(path.join(dir, 'proxy.js'));
      fs.copyFileSync(path.join(__dirname, 'fixture/middleware.js'), path.join(dir, 'middleware.js'));
      await test(
        'middleware.js, which is an edge function: next build --turbopack',
        async () => {
          await build(dir, env, ['--turbopack']);
          const server = new Server(dir, start, env);
          try {
            await server.start();
            assert.equal((await server.get('/api/bin')).headers['x-middleware'], 'yes');
          } finally {
            await server.stop();
          }
        },
        BUILD_MS,
      );
    }
    if (wants('pack')) {
      group(`Next.js ${text}, npm pack`);
      await test(
        'the tarball installs into an empty app; two lines are enough; a build needs no store',
        async () => {
          await empty(text, dir, tarball, env, opts);
        },
        BUILD_MS,
      );
    }
  } finally {
    origin.close();
  }
}

/** The short drill: what it checks, as tests. */
async function drill(text, dir, origin) {
  group(`Next.js ${text}, an outage`);
  const { checks } = await rehearse({ dir, version: text, origin }, SHORT);
  for (const { name, detail } of checks) await test(name, async () => assert.deepEqual(detail, []));
}

/** An app with one page, cacheHandler in next.config.js, and nothing else. */
async function empty(text, dir, tarball, env, opts) {
  const app = path.join(BUILD, `${text}-empty`);
  fs.rmSync(app, { recursive: true, force: true });
  fs.mkdirSync(path.join(app, 'app'), { recursive: true });
  fs.writeFileSync(path.join(app, 'package.json'), JSON.stringify({ name: 'empty', private: true }));
  fs.writeFileSync(
    path.join(app, 'next.config.js'),
    "module.exports = {\n  cacheHandler: require.resolve('larder/next'),\n};\n",
  );
  fs.writeFileSync(
    path.join(app, 'app/layout.js'),
    'export default ({ children }) => <html><body>{children}</body></html>;\n',
  );
  fs.writeFileSync(
    path.join(app, 'app/page.js'),
    'export const revalidate = 600;\nexport default () => <p>{`[serial:${Math.random()}]`}</p>;\n',
  );
  const { code, output } = await npm(['install', '--offline', tarball], app);
  assert.equal(code, 0, output);
  // Next.js and React as links to the files that are there already.
  const linked = await run('cp', [
    '-aln',
    ...fs
      .readdirSync(path.join(dir, 'node_modules'))
      .filter((name) => name !== 'larder' && !name.startsWith('.'))
      .map((name) => path.join(dir, 'node_modules', name)),
    path.join(app, 'node_modules'),
  ]);
  assert.equal(linked.code, 0, linked.output);
  try {
    await build(app, env);
    const server = new Server(app, startArgs(app), {
      ...env,
      ...(opts.fake ? { LARDER_FAKE_FILE: path.join(app, 'fake') } : {}),
    });
    try {
      await server.start('/nothing');
      const html = fs.readFileSync(path.join(app, '.next/server/app/index.html'), 'utf8');
      const r = await server.get('/');
      assert.equal(r.serial, html.match(/\[serial:([^\]]*)\]/)[1]);
      assert.equal(r.cache, 'HIT');
      assert.deepEqual(server.complaints(), []);
      if (!opts.fake) assert.ok(fs.existsSync(path.join(app, '.next/cache/larder')));
    } finally {
      await server.stop();
    }
    if (opts.fake) return;
    // And a build does not need its store.
    fs.writeFileSync(
      path.join(app, 'next.config.js'),
      "module.exports = require('larder').withLarder({});\n",
    );
    const { output } = await build(app, { ...env, LARDER_CACHE: 'fs:/proc/larder' });
    assert.equal(complaints(output).length, 1, output);
    assert.match(output, /the store does not answer; this build does without it/);
  } finally {
    fs.rmSync(app, { recursive: true, force: true });
  }
}

async function main() {
  clean();
  const opts = options(process.argv.slice(2));
  const begin = performance.now();
  if (!opts.fake && !process.env.LARDER_NODE_ADDON && !fs.existsSync(path.join(PACKAGE, 'prebuilds'))) {
    throw new Error(
      'there is no addon: build the target larder_prebuild, name one in LARDER_NODE_ADDON, or use --fake',
    );
  }
  if (!opts.fake && !fs.existsSync(PROGRAM)) throw new Error(`there is no ${PROGRAM}: build the target larder_cli`);
  const tarball = await pack();
  for (const text of opts.versions) {
    try {
      await version(text, tarball, opts);
    } catch (error) {
      counts.failed++;
      console.log(`FAILED  Next.js ${text}: ${error?.stack ?? error}`);
    }
  }
  console.log(`${Math.round((performance.now() - begin) / 1000)} s`);
  console.log(`${counts.passed} passed, ${counts.failed} failed`);
  process.exitCode = counts.failed > 0 || counts.passed === 0 ? 1 : 0;
}

main().catch((error) => {
  console.error(`tests/next: ${error.message}`);
  process.exitCode = 2;
});
