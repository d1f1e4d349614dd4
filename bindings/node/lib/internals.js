'use strict';
/*
 * The few things inside Next.js that decide what an answer of get means, and that its handlers
 * cannot see: the version, and three tables that Next.js keeps per process.  Everything here may
 * be missing in another version; then it is not used.
 */
const path = require('node:path');
const { createRequire } = require('node:module');
const { state } = require('./state.js');

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

/** @param {any} tables @param {string} version @returns {Internals} */
function make(version, tables) {
  const v = parseVersion(version);
  return {
    version: v,
    atLeast: (major, minor = 0, patch = 0) =>
      v[0] !== major ? v[0] > major : v[1] !== minor ? v[1] > minor : v[2] >= patch,
    tagsManifest: v[0] >= 16 && tables.tagsManifest instanceof Map ? tables.tagsManifest : null,
    controls: tables.controls instanceof Map ? tables.controls : null,
    timings: tables.timings instanceof Map ? tables.timings : null,
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
      const get = (id) => from(id);
      const { version } = get('next/package.json');
      const optional = (id) => {
        try {
          return get(CACHE + id);
        } catch {
          return {};
        }
      };
      return make(version, {
        tagsManifest: optional('tags-manifest.external').tagsManifest,
        controls: optional('shared-cache-controls.external').SharedCacheControls?.cacheControls,
        timings: optional('shared-revalidate-timings').SharedRevalidateTimings?.timings,
      });
    } catch {}
  }
  return make('', {});
}

/** @param {string | undefined} serverDistDir @returns {Internals} */
function internals(serverDistDir) {
  const { perDir } = state();
  const key = `next:${serverDistDir}`;
  let found = perDir.get(key);
  if (!found) perDir.set(key, (found = load(serverDistDir)));
  return found;
}

module.exports = { internals, make };
