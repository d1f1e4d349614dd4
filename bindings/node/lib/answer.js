'use strict';
/*
 * What makes each version of Next.js do what the store's verdict says: serve a fresh entry as a
 * HIT, also in a process that did not write it, and serve a stale one while it renders a new one.
 * Next.js judges again what a handler returns, by its own clock and tables:
 *
 * - How long an entry stays fresh is not taken from the answer before 16.4, but from a table of
 *   this process, which knows only what it rendered itself; without a row the default is one
 *   second.  So the row is written here.
 * - `lastModified: -1` means "stale, refresh in the background" up to 16.2, and "expired, render
 *   before answering" from 16.3 on.
 * - From 16.0 on entries older than a tag's times in `tagsManifest` are stale or expired.  The
 *   built-in handler of `use cache` fills that table, with the times of this process.  A fresh
 *   entry must be newer than they are, and a stale one is made so by it.
 */

/** "For ever" in seconds is Infinity, or 0xfffffffe where it went through JSON. */
const FOREVER_S = 4294967294;
const TAGS_HEADER = 'x-next-cache-tags';
const IMPLICIT = '_N_T_';
const FRESH = 1;
const STALE = 2;
/** To be served and not rendered: another process does (setting `claim`), or marks cannot be read (`on-outage`). */
const RENEWING = 4;
/** How long that is served without asking the store again. */
const RENEWING_MS = 1000;

/** @param {any} value @returns {string[]} */
function headerTags(value) {
  const header = value?.headers?.[TAGS_HEADER];
  return typeof header === 'string' && header !== '' ? header.split(',') : [];
}

/** @typedef {{ revalidate: number | false, expire?: number }} CacheControl */

/**
 * ms of the store as the seconds of Next.js: NaN: not given, Infinity: false.
 * @param {{ revalidate: number, expire: number }} got
 * @returns {CacheControl | undefined}
 */
function cacheControl(got) {
  if (Number.isNaN(got.revalidate)) return undefined;
  return {
    revalidate: got.revalidate === Infinity ? false : got.revalidate / 1000,
    expire: Number.isFinite(got.expire) ? got.expire / 1000 : undefined,
  };
}

/** Root is "/index" as a key, and "/" in the tables. */
function toRoute(key) {
  return key.replace(/(?:\/index)?\/?$/, '') || '/';
}

/**
 * @param {import('./internals').Internals} next
 * @param {string} key
 * @param {CacheControl} control
 * @returns {boolean} whether Next.js will know it
 */
function prime(next, key, control) {
  const known = next.atLeast(16, 4);
  if (!next.controls && !next.timings) return known;
  const keys = key.startsWith('/route-cache/') ? [key] : [key, toRoute(key)];
  for (const k of keys) {
    if (next.controls) {
      const row = next.controls.get(k);
      if (!row || row.revalidate !== control.revalidate || row.expire !== control.expire)
        next.controls.set(k, control);
    }
    if (next.timings && next.timings.get(k) !== control.revalidate)
      next.timings.set(k, control.revalidate);
  }
  return true;
}

/** The latest times at which this process's table makes these tags expired or stale. */
function manifestTimes(manifest, tags, now) {
  let expired = -Infinity;
  let stale = -Infinity;
  let expiredTag;
  if (manifest && manifest.size > 0) {
    for (const tag of tags) {
      const times = manifest.get(tag);
      if (!times) continue;
      if (typeof times.expired === 'number' && times.expired <= now && times.expired > expired) {
        expired = times.expired;
        expiredTag = tag;
      }
      if (typeof times.stale === 'number' && times.stale > stale) stale = times.stale;
    }
  }
  return { expired, stale, expiredTag };
}

/** Makes entries with this tag stale that are as old as `time`. */
function makeStale(manifest, tag, time) {
  const times = manifest.get(tag);
  if (!(times?.stale > time)) manifest.set(tag, { ...times, stale: time + 1 });
}

/**
 * @param {import('./internals').Internals} next
 * @param {string} key
 * @param {any} value
 * @param {{ verdict: number, modified: number, revalidate: number, expire: number }} got
 */
function page(next, key, value, got) {
  const now = Date.now();
  const control = cacheControl(got);
  const primed = control ? prime(next, key, control) : next.atLeast(16, 4);
  const answer = { lastModified: got.modified, value, cacheControl: control };
  // Where this process's table cannot be reached, an entry that is fresh is as old as now:
  // otherwise it would be due after one second, in each process that did not write it.
  const ends = typeof control?.revalidate === 'number' ? got.modified + control.revalidate * 1000 : Infinity;
  const due = ends < now;
  if (!primed && control && !due && got.verdict === FRESH) answer.lastModified = now;

  if (!next.atLeast(16, 3) && got.verdict === STALE) {
    answer.lastModified = -1;
    return answer;
  }
  // Past `expire` Next.js renders before it answers (16.3 on), whatever else holds.
  if (control?.expire !== undefined && got.modified + control.expire * 1000 < now && next.atLeast(16, 3))
    return answer;

  // The list is made for those who look at it: on most hits nobody does.
  const looks = got.verdict === STALE || (next.tagsManifest && next.tagsManifest.size > 0);
  const tags = looks ? headerTags(value) : [];
  const times = manifestTimes(next.tagsManifest, tags, now);
  if (got.verdict === STALE || (due && times.expired > got.modified)) {
    if (next.tagsManifest && tags.length > 0) {
      // A tag of this path says nothing of other entries, which are judged here as well.
      const tag = tags.findLast((t) => t.startsWith(IMPLICIT)) ?? tags[tags.length - 1];
      answer.lastModified = Math.max(got.modified, times.expired);
      makeStale(next.tagsManifest, tag, answer.lastModified);
      return answer;
    }
    // No tags to do it by (pages router): an entry that is just due.
    const revalidate = typeof control?.revalidate === 'number' ? control.revalidate : 1;
    const expire =
      control?.expire !== undefined && control.expire > revalidate + 1 ? control.expire : undefined;
    answer.cacheControl = { revalidate, expire };
    answer.lastModified = Math.min(got.modified, now - revalidate * 1000 - 1);
    prime(next, key, answer.cacheControl);
    return answer;
  }
  const floor = Math.max(times.expired, times.stale);
  if (!due && answer.lastModified <= floor) answer.lastModified = floor + 1;
  return answer;
}

/**
 * As if it had been rendered now: so Next.js serves it and renders nothing.  Not for long, and not
 * longer to caches between: then it is asked for again.
 * @template {{ verdict: number, modified: number, revalidate: number }} T
 * @param {T} got
 * @returns {T}
 */
function servable(got) {
  if (got.verdict !== RENEWING) return got;
  const revalidate = got.revalidate < RENEWING_MS ? got.revalidate : RENEWING_MS;
  return { ...got, verdict: FRESH, modified: Date.now(), revalidate };
}

/**
 * @param {import('./internals').Internals} next
 * @param {any} value
 * @param {{ verdict: number, modified: number }} got
 * @param {any} ctx
 * @param {string[]} tags   of the get
 */
function fetched(next, value, got, ctx, tags) {
  const now = Date.now();
  const revalidate = ctx?.revalidate || value.revalidate;
  const due = typeof revalidate === 'number' && got.modified + revalidate * 1000 < now;
  const times = manifestTimes(next.tagsManifest, tags, now);
  if (got.verdict !== STALE && !due) {
    const floor = Math.max(times.expired, times.stale);
    return { lastModified: got.modified <= floor ? floor + 1 : got.modified, value };
  }
  let lastModified = Math.min(
    got.modified,
    Number.isFinite(revalidate) ? now - revalidate * 1000 - 1000 : Number.MIN_SAFE_INTEGER,
  );
  if (times.expired > lastModified) {
    // Older than that it would be expired, and this young it may not be stale by its age.
    lastModified = times.expired;
    makeStale(next.tagsManifest, times.expiredTag, lastModified);
  }
  return { lastModified, value };
}

/** @param {any} value @param {{ verdict: number, modified: number }} got */
function image(value, got) {
  return { lastModified: got.verdict === STALE ? 1 : got.modified, value };
}

module.exports = {
  page,
  servable,
  fetched,
  image,
  headerTags,
  cacheControl,
  toRoute,
  TAGS_HEADER,
  IMPLICIT,
  FRESH,
  STALE,
  RENEWING,
  FOREVER_S,
};
