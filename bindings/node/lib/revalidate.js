'use strict';
/*
 * Revalidation of tags, for cacheHandler and cacheHandlers alike.  Next.js answers its client 200
 * whether it succeeds or not and looks at no result, so nothing here rejects; what fails is tried
 * again in the background, and said once.
 */
const { state, store, clock, outage, recovered } = require('./state.js');
const { FOREVER_S } = require('./answer.js');

const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 30_000;
/** About an hour of an outage. */
const MAX_TRIES = 125;
/** What is kept at most while the store is down; one entry per call, whatever its number of tags. */
const MAX_RETRIES = 10_000;
/** LARDER_INVALID, LARDER_UNSUPPORTED, LARDER_TOO_BIG: repeating does not help. */
const HOPELESS = new Set([-5, -7, -9]);

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
  if (!s) return 0;
  try {
    const { status, detail } = await s.revalidate(tags, expire);
    if (status >= 0) {
      recovered('revalidating');
      return 0;
    }
    outage(
      'revalidating',
      detail || `error ${status}`,
      'it is tried again, until then old entries may be served',
    );
    return status;
  } catch (error) {
    outage('revalidating', error?.message ?? String(error), 'it is not tried again');
    return -7;
  }
}

/** What is left of `expire`, which counts from the call; nothing left: gone now. */
function remaining({ expire, since }) {
  if (expire === undefined || expire === Infinity) return expire;
  const left = expire - (clock() - since);
  return left > 0 ? left : undefined;
}

/** @param {string} key @param {{ tags: string[], expire: number | undefined, since: number }} call */
function retryLater(key, call, tries) {
  const { retries } = state();
  if (tries > MAX_TRIES || (!retries.has(key) && retries.size >= MAX_RETRIES)) {
    retries.delete(key);
    return;
  }
  retries.set(key, call);
  const wait = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(tries, 16));
  // unref: not a reason for a process to stay alive.
  setTimeout(
    async () => {
      const status = await attempt(call.tags, remaining(call));
      if (status === 0 || HOPELESS.has(status)) retries.delete(key);
      else retryLater(key, call, tries + 1);
    },
    wait * (0.5 + Math.random() / 2),
  ).unref();
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
  const since = clock();
  const call = Promise.resolve().then(async () => {
    revalidating.delete(key);
    const status = await attempt(list, expire);
    if (status < 0 && !HOPELESS.has(status)) retryLater(key, { tags: list, expire, since }, 0);
  });
  revalidating.set(key, call);
  return call;
}

module.exports = { revalidate, expireInMs, tagList };
