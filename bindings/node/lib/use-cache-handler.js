'use strict';
/*
 * The object behind each name in `cacheHandlers`: what 'use cache' keeps.  One object serves all
 * names; keys never meet, since each begins with the id of its function.
 */
const path = require('node:path');
const { state, store, sayOnce, building, offline, clock } = require('./state.js');
const { internals } = require('./internals.js');
const { revalidate } = require('./revalidate.js');
const { lifeMs } = require('./handler.js');

const USE_CACHE = 4;
const RENDER = 16;
const FRESH = 1;
const STALE = 2;
/** Another process renders it, or marks cannot be read: served for so long without asking again. */
const RENEWING = 4;
const RENEWING_S = 1;
/** A get waits no longer for a set of its key: the rendering it belongs to may hang. */
const PENDING_MS = 30_000;
/** More than this is not collected; the core has a limit of its own (max-value). */
const MAX_BYTES = 64 * 1024 * 1024;
const BUILD_PAUSE_MS = 10_000;

/** Sets under way, by key.  Not in the module: see state.js. @returns {Map<string, Promise<void>>} */
function pendingSets() {
  const { perDir } = state();
  let map = perDir.get('use-cache');
  if (!map) perDir.set('use-cache', (map = new Map()));
  return map;
}

function ready() {
  return offline() ? null : store();
}

/** The core says what fails. */
function failed() {
  if (building()) state().offlineUntil = clock() + BUILD_PAUSE_MS;
}

/** @param {Promise<void>} promise @param {number} ms */
function atMost(promise, ms) {
  let timer;
  const end = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  return Promise.race([promise, end]).finally(() => clearTimeout(timer));
}

/*
 * The bytes of a stream: all, or undefined where it fails or is too long.  What is kept are bytes
 * alone; a stream that is kept holds its request, with all that belongs to it.
 */
/** @param {ReadableStream<Uint8Array>} stream @returns {Promise<Uint8Array | undefined>} */
async function collect(stream) {
  const chunks = [];
  let size = 0;
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.byteLength;
    if (size > MAX_BYTES) {
      reader.cancel().catch(() => {});
      return undefined;
    }
    chunks.push(value);
  }
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, size);
}

/** @param {Uint8Array} bytes @returns {ReadableStream<Uint8Array>} a new one for each get */
function streamOf(bytes) {
  return new ReadableStream({
    start(controller) {
      if (bytes.byteLength > 0) controller.enqueue(bytes);
      controller.close();
    },
  });
}

/*
 * The epoch that was known when this rendering began, told by the age of its timestamp, which is
 * of this process's performance clock.  Between reading the clock here and in the core time
 * passes, in which another epoch may have been learned: what was asked with is older than the
 * timestamp by MARGIN_MS, and the answer counts if no more than that has passed.  A large margin
 * would not do: a get learns the epoch less than a millisecond before its rendering begins.
 */
const MARGIN_MS = 0.05;
/** @param {import('./native').Store} s @param {number} timestamp */
function epochAt(s, timestamp) {
  for (let i = 0; i < 8; i++) {
    const now = performance.now();
    const age = performance.timeOrigin + now - timestamp;
    if (!Number.isFinite(age)) return 0;
    const epoch = s.knownAt(Math.max(0, age) + MARGIN_MS);
    if (performance.now() - now < MARGIN_MS) return epoch;
  }
  return s.knownAt(performance.timeOrigin + performance.now() - timestamp + 1000);
}

/** @param {string} key @param {Promise<any>} pendingEntry */
async function keep(key, pendingEntry) {
  let entry;
  let bytes;
  try {
    entry = await pendingEntry;
    bytes = await collect(entry.value);
  } catch {
    return; // The rendering failed, and Next.js says so itself.
  }
  if (bytes === undefined) return;
  const { tags, stale, timestamp, expire, revalidate: revalidateS } = entry;
  // An entry that may not be used at all; `next dev` shows it again on reload.
  if (expire === 0 && process.env.NODE_ENV === 'production') return;
  try {
    const s = ready();
    if (!s) return;
    const { status } = await s.put({
      key,
      build: '',
      kind: USE_CACHE,
      epoch: epochAt(s, timestamp),
      modified: Math.floor(timestamp),
      revalidate: lifeMs(revalidateS),
      expire: lifeMs(expire),
      tags: [...new Set(tags)],
      meta: JSON.stringify({
        tags,
        stale: finite(stale),
        timestamp,
        expire: finite(expire),
        revalidate: finite(revalidateS),
      }),
      parts: [bytes],
      names: ['value'],
    });
    if (status < 0) failed();
  } catch (error) {
    sayOnce(`an entry cannot be stored: ${error?.message ?? error}`);
  }
}

/** No tags. @type {string[]} */
const NONE = [];
/** Infinity has no place in JSON; Next.js itself writes it as this number. */
const INFINITE_S = 0xfffffffe;
function finite(seconds) {
  return seconds === Infinity ? INFINITE_S : seconds;
}

async function get(cacheKey, softTags) {
  const pending = pendingSets().get(cacheKey);
  if (pending) await atMost(pending, PENDING_MS);
  const s = ready();
  if (!s) return undefined;
  const kept = s.kept?.find(USE_CACHE, '', cacheKey, softTags ?? NONE);
  if (kept) return entryOf(kept.value, kept.value.revalidate);
  const token = s.kept?.token();
  const got = await s.get(USE_CACHE, '', cacheKey, softTags?.length ? softTags : null, RENDER);
  if (got.verdict < 0) failed();
  if (got.verdict !== FRESH && got.verdict !== STALE && got.verdict !== RENEWING) return undefined;
  let entry = { ...JSON.parse(got.meta), bytes: got.parts[0] };
  if (token !== undefined) entry = s.kept.keep(USE_CACHE, '', cacheKey, softTags ?? NONE, token, got, entry);
  // What another process renders just now is served and not rendered here.
  let due = got.verdict === RENEWING ? (Date.now() - entry.timestamp) / 1000 + RENEWING_S : entry.revalidate;
  if (got.verdict === STALE) {
    // "Serve it, and render it again": 16 has a value for it, 15 would take it for a life.
    const { distDir } = state();
    if (!internals(distDir && path.join(distDir, 'server')).atLeast(16)) return undefined;
    due = -1;
  }
  return entryOf(entry, due);
}

/** @param {any} entry  what was stored beside the stream, and its bytes @param {number} revalidate */
function entryOf({ bytes, tags, stale, timestamp, expire }, revalidate) {
  return { value: streamOf(bytes), tags, stale, timestamp, expire, revalidate };
}

const useCache = {
  /**
   * @param {string} cacheKey   any bytes, any length
   * @param {string[]} softTags
   */
  async get(cacheKey, softTags) {
    try {
      return await get(String(cacheKey), softTags);
    } catch (error) {
      sayOnce(`an entry cannot be read and is a miss: ${error?.message ?? error}`);
      return undefined;
    }
  },

  /** @param {string} cacheKey @param {Promise<any>} pendingEntry */
  async set(cacheKey, pendingEntry) {
    const key = String(cacheKey);
    const sets = pendingSets();
    const earlier = sets.get(key);
    const done = keep(key, pendingEntry);
    // Two sets of one key: a get waits for both.
    const all = earlier ? Promise.all([earlier, done]).then(() => {}) : done;
    sets.set(key, all);
    try {
      await done;
    } finally {
      if (sets.get(key) === all) sets.delete(key);
    }
  },

  /** Marks are read with each entry; there is no copy to refresh. */
  async refreshTags() {},

  /** "Soft tags are checked in get": of all tags that Next.js might ask about. */
  async getExpiration() {
    return Infinity;
  },

  /** Next.js 16. @param {string[]} tags @param {{ expire?: number }} [durations] */
  async updateTags(tags, durations) {
    try {
      await revalidate(tags, durations);
    } catch {}
  },

  /** Next.js 15. @param {string[]} tags */
  async expireTags(...tags) {
    try {
      await revalidate(tags.flat());
    } catch {}
  },

  /** Next.js 15.0 to 15.4: revalidated elsewhere, and so in the store already. */
  async receiveExpiredTags() {},
};

module.exports = { useCache };
