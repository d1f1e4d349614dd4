'use strict';
/*
 * What next.config.js uses: withLarder(nextConfig, options).
 */
const fs = require('node:fs');
const path = require('node:path');
const { createRequire } = require('node:module');
const { state, store } = require('./state.js');
const settings = require('./settings.js');
const { record, FILE } = require('./build.js');
const { revalidate } = require('./revalidate.js');
const { say, setLog } = require('./log.js');
const { version } = require('../package.json');

const BUILD = 'phase-production-build';

/** The version of Next.js in the application's folder, as [major, minor]. */
function nextVersion(dir) {
  for (const base of [dir, path.dirname(process.argv[1] ?? dir)]) {
    try {
      const [major, minor] = createRequire(path.join(base, 'noop.js'))('next/package.json').version.split(
        '.',
      );
      return [Number(major), Number(minor)];
    } catch {}
  }
  return [99, 0];
}

/*
 * Whether this is the main process of `next build`.  A config that is a function is told; one that
 * is an object is read before Next.js says anywhere in which phase it is, but for its arguments.
 */
function isBuild(phase) {
  if (process.env.IS_NEXT_WORKER) return false;
  if (phase !== undefined) return phase === BUILD;
  return process.env.NEXT_PHASE === BUILD || process.argv[2] === 'build';
}

/** Set for the processes that Next.js starts, whose arguments tell nothing. */
const DIR_VARIABLE = '__LARDER_DIR';

/*
 * The application's folder: where Next.js was started, or the one in its arguments, as in
 * `next build apps/web`.  A config is told neither.
 */
function projectDir() {
  if (process.env.IS_NEXT_WORKER && process.env[DIR_VARIABLE]) return process.env[DIR_VARIABLE];
  let dir = process.cwd();
  for (const arg of process.argv.slice(3)) {
    const named = path.resolve(arg);
    const isApp = (ext) => fs.existsSync(path.join(named, `next.config.${ext}`));
    if (!arg.startsWith('-') && ['js', 'mjs', 'cjs', 'ts', 'mts'].some(isApp)) dir = named;
  }
  process.env[DIR_VARIABLE] = dir;
  return dir;
}

/** "default" and "remote", or the names given. */
function useCacheNames(option) {
  if (option === true) return ['default', 'remote'];
  if (typeof option === 'string') return [option];
  return Array.isArray(option) ? option : [];
}

/** A path as a glob takes it, relative to the application. */
function traced(dir, file) {
  const relative = path.relative(dir, file).split(path.sep).join('/');
  return relative.startsWith('.') ? relative : `./${relative}`;
}

/** @param {any} config @param {any} options @param {string | undefined} phase */
function apply(config, options, phase) {
  const dir = projectDir();
  const distDir = path.resolve(dir, config.distDir ?? '.next');
  const [major, minor] = nextVersion(dir);
  const out = { ...config };

  // A mistake in the configuration is said here, where it stops a build, and not once a request.
  const file = settings.configFile(dir, process.env.LARDER_CONFIG || options.config);
  if (file) settings.readConfig(file, dir);
  settings.fromOptions(options);

  if (major === 14 && minor === 0) {
    out.experimental = { ...out.experimental, incrementalCacheHandlerPath: require.resolve('./next.js') };
  } else {
    out.cacheHandler = require.resolve('./next.js');
  }
  // Where there is no addon, images would be made anew for each request; Next.js keeps them on disk.
  const images = options.images !== false && ((major === 16 && minor >= 2) || major > 16);
  if (images && (state().native ?? require('./native.js')).load()) {
    out.images = { customCacheHandler: true, ...config.images };
  }

  const names = useCacheNames(options.useCache);
  if (names.length > 0 && major >= 15) {
    const handlers = Object.fromEntries(names.map((name) => [name, require.resolve('./use-cache.js')]));
    if (major >= 16) out.cacheHandlers = { ...handlers, ...config.cacheHandlers };
    else {
      out.experimental = { ...out.experimental };
      out.experimental.cacheHandlers = { ...handlers, ...config.experimental?.cacheHandlers };
    }
  }
  // What Next.js keeps in memory is its own handlers'.  From 15 on one of them may serve 'use cache',
  // and with no memory it would keep nothing.
  if (major < 15 || names.includes('default')) out.cacheMaxMemorySize ??= 0;

  // Files that the handler opens by paths that no bundler sees.
  const files = [`${traced(dir, path.join(__dirname, '..', 'prebuilds'))}/**/*`];
  if (file) files.push(traced(dir, file));
  const where = major >= 15 ? out : (out.experimental = { ...out.experimental });
  const includes = { ...where.outputFileTracingIncludes };
  includes['/*'] = [...(includes['/*'] ?? []), ...files];
  where.outputFileTracingIncludes = includes;

  const text = JSON.stringify(options);
  process.env[settings.OPTIONS_VARIABLE] = text;
  state().distDir ??= distDir;
  if (isBuild(phase)) {
    try {
      const target = path.join(distDir, settings.OPTIONS_FILE);
      fs.mkdirSync(path.dirname(target), { recursive: true });
      fs.writeFileSync(target, text);
    } catch {}
    record(distDir, true);
    const parts = [FILE, settings.OPTIONS_FILE];
    // The store that is used where none is named lies in the build output.  Its marks and its epoch
    // go along, or it would be a new one elsewhere, to which what was prerendered is too old.
    if (!settings.namesCache(file ? settings.readConfig(file, dir) : [], options)) {
      parts.push(path.join('cache', 'larder', 'larder-fs'), path.join('cache', 'larder', 'marks'));
    }
    process.once('exit', (code) => code === 0 && carry(dir, distDir, parts));
  }
  return out;
}

/*
 * Copies what lies in .next/cache into the standalone output.  Next.js leaves that folder out, and
 * Turbopack also where outputFileTracingIncludes names it.  At the end of the build: this is all
 * that runs after the output was written.
 */
/** @param {string} dir @param {string} distDir @param {string[]} parts  in distDir */
function carry(dir, distDir, parts) {
  try {
    const standalone = path.join(distDir, 'standalone');
    const output = path.relative(dir, distDir);
    // The application lies there as deep as it does below the tracing root, which may be any
    // folder above it.
    const names = dir.split(path.sep);
    for (let depth = 0; depth < names.length; depth++) {
      const target = path.join(standalone, ...names.slice(names.length - depth), output);
      if (!fs.existsSync(path.join(target, 'BUILD_ID'))) continue;
      for (const part of parts) {
        if (!fs.existsSync(path.join(distDir, part))) continue;
        fs.mkdirSync(path.dirname(path.join(target, part)), { recursive: true });
        fs.copyFileSync(path.join(distDir, part), path.join(target, part));
      }
      return;
    }
  } catch (error) {
    say(
      'warn',
      `the standalone output lacks the build's epoch (${error.message}): its pages are rendered again`,
    );
  }
}

/*
 * Everything there is to set in next.config.js.  Takes an object or a function, and gives the same
 * back, so that it goes with other such helpers.
 */
function withLarder(nextConfig = {}, options = {}) {
  if (typeof nextConfig === 'function') {
    return async (phase, context) => apply((await nextConfig(phase, context)) ?? {}, options, phase);
  }
  return apply(nextConfig, options, undefined);
}

/** The store of this application, for scripts; null where it cannot be opened. */
function openStore(options) {
  const s = state();
  s.distDir ??= path.resolve(process.cwd(), options?.distDir ?? '.next');
  return store();
}

/** What revalidateTag() of Next.js does, from a script. */
function revalidateTag(tags, durations) {
  state().distDir ??= path.resolve(process.cwd(), '.next');
  return revalidate(tags, durations);
}

// Names alone, so that `import { withLarder } from 'larder'` finds them.
module.exports = { withLarder, openStore, revalidateTag, setLog, version };
