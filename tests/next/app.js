'use strict';
/*
 * The application of one version of Next.js in build/next/<version>: Next.js by npm, Larder as the
 * tarball that would be published, a fixture, and its build.
 */
const fs = require('node:fs');
const path = require('node:path');
const { run, png, assert } = require('./harness.js');

const ROOT = path.join(__dirname, '..', '..');
const PACKAGE = path.join(ROOT, 'bindings', 'node');
const BUILD = path.join(ROOT, 'build', 'next');
/** The command, of the build that the addon is of. */
const PROGRAM = path.join(process.env.SCRIPT_BUILD_DIR || path.join(ROOT, 'build'), 'release', 'bin', 'larder');

/** npm's own environment variables (npm_config_*) of the one who called must not decide here. */
function npm(args, cwd) {
  return run('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], { cwd, timeout: 180_000 });
}

/** The tarball that would be published, of this checkout. */
async function pack() {
  fs.mkdirSync(BUILD, { recursive: true });
  const { code, output } = await npm(['pack', '--pack-destination', BUILD, '--silent'], PACKAGE);
  if (code !== 0) throw new Error(`npm pack failed:\n${output}`);
  return path.join(BUILD, output.trim().split('\n').pop());
}

/** build/next/<version> with Next.js and larder in it. */
async function install(version, tarball, { installed }) {
  const dir = path.join(BUILD, version);
  const manifest = path.join(dir, 'node_modules/next/package.json');
  const react = Number.parseInt(version, 10) < 15 ? '^18' : '^19';
  fs.mkdirSync(dir, { recursive: true });
  fs.writeFileSync(
    path.join(dir, 'package.json'),
    JSON.stringify({
      name: 'fixture',
      private: true,
      dependencies: { next: version, react, 'react-dom': react },
    }),
  );
  const there = fs.existsSync(manifest) && JSON.parse(fs.readFileSync(manifest, 'utf8')).version === version;
  if (!there && !installed) {
    const { code, output } = await npm(['install', '--prefer-offline'], dir);
    if (code !== 0) throw new Error(`npm install of next ${version} failed:\n${output}`);
  }
  const home = path.join(dir, 'node_modules/larder');
  fs.rmSync(home, { recursive: true, force: true });
  fs.mkdirSync(home, { recursive: true });
  const { code, output } = await run('tar', ['-xzf', tarball, '-C', home, '--strip-components=1']);
  if (code !== 0) throw new Error(output);
  return dir;
}

/** The application in the folder of its version; node_modules and what webpack compiled stay. */
function lay(dir, fixture, major) {
  const compiled = path.join(dir, '.next/cache/webpack');
  const kept = path.join(dir, 'node_modules/.webpack-cache');
  if (fs.existsSync(compiled)) {
    fs.rmSync(kept, { recursive: true, force: true });
    fs.renameSync(compiled, kept);
  }
  for (const entry of fs.readdirSync(dir)) {
    if (entry !== 'node_modules' && !entry.startsWith('package'))
      fs.rmSync(path.join(dir, entry), { recursive: true, force: true });
  }
  if (fs.existsSync(kept)) {
    fs.mkdirSync(path.dirname(compiled), { recursive: true });
    fs.renameSync(kept, compiled);
  }
  fs.cpSync(path.join(__dirname, fixture), dir, { recursive: true });
  fs.rmSync(path.join(dir, major >= 16 ? 'middleware.js' : 'proxy.js'), { force: true });
  fs.mkdirSync(path.join(dir, 'public'), { recursive: true });
  fs.writeFileSync(path.join(dir, 'public/picture.png'), png(128));
}

async function build(dir, env, extra = []) {
  const next = path.join(dir, 'node_modules/next/dist/bin/next');
  const begin = performance.now();
  const result = await run(process.execPath, [next, 'build', ...extra], {
    cwd: dir,
    env: {
      ...process.env,
      NODE_ENV: undefined,
      NEXT_TELEMETRY_DISABLED: '1',
      NEXT_IGNORE_INCORRECT_LOCKFILE: '1',
      ...env,
    },
  });
  assert.equal(result.code, 0, result.output);
  return { ...result, seconds: (performance.now() - begin) / 1000 };
}

/** What the one who calls has set for a store of his own is not for these. */
function clean() {
  for (const name of Object.keys(process.env)) {
    if (/^(__)?LARDER_/.test(name) && name !== 'LARDER_NODE_ADDON') delete process.env[name];
  }
}

/** Arguments of node for `next start` of what is built in dir. */
function startArgs(dir) {
  return [path.join(dir, 'node_modules/next/dist/bin/next'), 'start', '-p', '{port}', '-H', '127.0.0.1'];
}

module.exports = { PACKAGE, BUILD, PROGRAM, npm, pack, install, lay, build, clean, startArgs };
