'use strict';
/*
 * The few things inside Next.js that decide what an answer of get means, and that its handlers
 * cannot see: the version, and three tables that Next.js keeps per process.  Everything here may
 * be missing in another version; then it is not used.
 */
const path = require('node:path');
const { createRequire } = require('node:module');
const { buildOf } = require('./state.js');

const CACHE = 'next/dist/server/lib/incremental-cache/';
/** Newer than any: what an unknown version is taken for. */
const NEWEST = [99, 0, 0];

/**
 * @typedef {object} Internals
 * @property {number[]} version
 * @property {(major: number, minor?: number, patch?: number) => boolean} atLeast
 * @property {Map<string, { stale?: number, expired?: number }> | null} tagsManifest  16 on
 * @property {Map<string, { revalidate: number | false, expire?: number }> | null} controls  15.2 on
 * @property {Map<string, number | false>  | null} timings  14, 15.0, 15.1
 */

function parseVersion(text) {
  const m = /^(\d+)\.(\d+)\.(\d+)/.exec(String(text));
  return m ? m.slice(1, 4).map(Number) : NEWEST;
}

const TABLES = {
  tagsManifest: (get) => get('tags-manifest.external').tagsManifest,
  controls: (get) => get('shared-cache-controls.external').SharedCacheControls.cacheControls,
  timings: (get) => get('shared-revalidate-timings').SharedRevalidateTimings.timings,
};

/**
 * @param {string} version
 * @param {any} tables   each a Map, or anything else where there is none; or a function that loads a
 *     file of Next.js, which is asked for what the version has alone: looking for a file that is not
 *     there takes longer than finding one
 * @returns {Internals}
 */
function make(version, tables) {
  const v = parseVersion(version);
  const atLeast = (major, minor = 0, patch = 0) =>
    v[0] !== major ? v[0] > major : v[1] !== minor ? v[1] > minor : v[2] >= patch;
  const table = (name) => {
    try {
      const map = typeof tables === 'function' ? TABLES[name](tables) : tables[name];
      return map instanceof Map ? map : null;
    } catch {
      return null;
    }
  };
  const controls = atLeast(15, 2) ? table('controls') : null;
  return {
    version: v,
    atLeast,
    tagsManifest: atLeast(16) ? table('tagsManifest') : null,
    controls,
    timings: controls ? null : table('timings'),
  };
}

/*
 * The Next.js that runs this application.  From the build output upwards, as the application
 * itself would find it; the handler may lie elsewhere (a linked package).
 */
/** @param {string | undefined} serverDistDir @returns {Internals} */
function load(serverDistDir) {
  const bases = [
    serverDistDir && path.dirname(serverDistDir),
    process.cwd(),
    process.argv[1] && path.dirname(process.argv[1]),
  ];
  for (const base of bases) {
    if (!base) continue;
    try {
      const from = createRequire(path.join(base, 'noop.js'));
      const { version } = from('next/package.json');
      return make(version, (id) => from(CACHE + id));
    } catch {}
  }
  return make('', {});
}

/** @param {string | undefined} serverDistDir @returns {Internals} */
function internals(serverDistDir) {
  const about = buildOf(serverDistDir);
  return (about.next ??= load(serverDistDir));
}

module.exports = { internals, make };
