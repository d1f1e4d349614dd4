'use strict';
/*
 * Revalidation of tags, for cacheHandler and cacheHandlers alike.  Next.js answers its client 200
 * whether it succeeds or not and looks at no result, so nothing here rejects; what fails the core
 * says, and goes on with until it succeeds.
 */
const { state, store, sayOnce } = require('./state.js');
const { FOREVER_S } = require('./answer.js');

/**
 * What the durations of Next.js mean to the store: undefined: gone now; ms: stale now and gone
 * then; Infinity: stale.
 * @param {{ expire?: number } | undefined} durations
 * @returns {number | undefined}
 */
function expireInMs(durations) {
  if (durations === undefined || durations === null) return undefined;
  const { expire } = durations;
  if (expire === undefined || expire === null) return Infinity;
  if (!(expire > 0)) return undefined;
  return expire >= FOREVER_S ? Infinity : expire * 1000;
}

/** @param {string | string[]} tags @returns {string[]} */
function tagList(tags) {
  const list = typeof tags === 'string' ? [tags] : Array.isArray(tags) ? tags : [];
  return [...new Set(list.filter((tag) => typeof tag === 'string' && tag !== ''))];
}

async function attempt(tags, expire) {
  const s = store();
  if (!s) return;
  try {
    await s.revalidate(tags, expire);
  } catch (error) {
    sayOnce(`revalidating fails (${error?.message ?? error}); it is not tried again`);
  }
}

/*
 * Next.js tells cacheHandler and each of cacheHandlers of every revalidation, in one turn of the
 * event loop.  Equal calls of one turn are one call to the store, made when the turn ends: none of
 * them joins a call that was sent before it began.
 */
/**
 * @param {string | string[]} tags
 * @param {{ expire?: number }} [durations]
 * @returns {Promise<void>}
 */
function revalidate(tags, durations) {
  const list = tagList(tags);
  if (list.length === 0) return Promise.resolve();
  const expire = expireInMs(durations);
  const key = JSON.stringify([String(expire), [...list].sort()]);
  const { revalidating } = state();
  const joined = revalidating.get(key);
  if (joined) return joined;
  const call = Promise.resolve().then(() => {
    revalidating.delete(key);
    return attempt(list, expire);
  });
  revalidating.set(key, call);
  return call;
}

module.exports = { revalidate, expireInMs, tagList };
