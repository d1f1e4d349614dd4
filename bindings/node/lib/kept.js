'use strict';
/*
 * Answers that JavaScript gives again by itself, without a call into C: hits whose marks are still
 * trusted (setting `mark-age`; docs/semantics.md).  One for each store of an environment.
 *
 * An answer is given again until the core's trust in it ends, or the entry is due, and not after
 *
 *   - a revalidation of this process has ended (the store's changes cell moved): nothing is kept then;
 *   - this environment has put or removed the key: such a call forgets it when it begins, and when it
 *     is answered, as a get in between may have found either;
 *   - a get has brought another answer for the key.
 *
 * Only to a request whose tags were judged with it.  A get that was sent before any of these, and is
 * answered after it, brings nothing that is kept: token() is asked before, and handed to keep().
 *
 * BOUNDS.  A kept text holds the memory that the core read it into.  So there are two generations of at most
 * half of `bytes` each; one takes what comes for `ms`, and is let go when all in it is out of trust,
 * by a timer: also where no request comes any more.
 */
const { copier } = require('./copies.js');
const { clock } = require('./state.js');

const FRESH = 1;
/** Beside its parts, roughly: objects, Map entries, strings of the meta text. */
const RECORD_BYTES = 2048;
/** However long marks are trusted: the core is asked now and then, which costs little. */
const MOST_MS = 10_000;
/** A fetch that many pages make has the soft tags of all of them.  Of more, the latest. */
const MOST_TAGS = 256;

/**
 * @typedef {object} Kept
 * @property {number} kind
 * @property {string} build
 * @property {number} until   of clock()
 * @property {number} due     ms since 1970
 * @property {Set<string>} tags   of requests, that were judged with it
 * @property {number} bytes
 * @property {import('./native').Dates} got
 * @property {() => any} copy
 */

class Generation {
  /** @param {number} takesUntil  of clock() @param {NodeJS.Timeout} timer  which lets it go */
  constructor(takesUntil, timer) {
    /** @type {Map<string, Kept>} by key alone: two kinds or builds of one key are rare */
    this.map = new Map();
    this.bytes = 0;
    this.takesUntil = takesUntil;
    this.timer = timer;
  }
}

/** @implements {import('./native').Memory} */
class Memory {
  /** @type {Generation | undefined} */
  #young;
  /** @type {Generation | undefined} */
  #old;
  #halfBytes;
  #ms;
  #share;
  #readChanges;
  #count;
  #now;
  /** The changes cell, when what is kept was asked for. */
  #changes = -1;
  /** Puts and removes of this environment, begun and ended. */
  #writes = 0;
  /** Hits that the core has not been told of. */
  #hits = 0;

  /**
   * @param {object} options
   * @param {number} options.bytes
   * @param {number} options.ms   no answer is trusted for longer
   * @param {boolean} options.share   Buffers too (setting memory-share)
   * @param {() => number} options.changes   reads the store's changes cell
   * @param {(n: number) => void} options.count   tells the core of hits
   * @param {() => number} [options.now]
   */
  constructor({ bytes, ms, share, changes, count, now = clock }) {
    this.#halfBytes = bytes / 2;
    this.#ms = Math.min(ms, MOST_MS);
    this.#share = share;
    this.#readChanges = changes;
    this.#count = count;
    this.#now = now;
  }

  /**
   * @param {number} kind @param {string} build @param {string} key
   * @param {string[]} tags   of the request
   * @returns {{ got: import('./native').Dates, value: any } | undefined} value: the reader's own
   */
  find(kind, build, key, tags) {
    if (this.#young === undefined || !this.#unchanged()) return undefined;
    const kept = this.#young.map.get(key) ?? this.#old?.map.get(key);
    if (kept === undefined || kept.kind !== kind || kept.build !== build) return undefined;
    if (this.#now() >= kept.until || Date.now() >= kept.due) return undefined;
    for (let i = 0; i < tags.length; i++) if (!kept.tags.has(tags[i])) return undefined;
    const value = kept.copy();
    if (value === undefined) return undefined;
    this.#hits++;
    return { got: kept.got, value };
  }

  /** Before a get is sent.  Both numbers only grow, so their sum stands while neither moves. */
  token() {
    return this.#readChanges() + this.#writes;
  }

  /**
   * @param {number} kind @param {string} build @param {string} key
   * @param {string[]} tags
   * @param {number} token
   * @param {import('./native').Got} got
   * @param {any} value   the caller's no more
   * @returns {any} the value for the caller
   */
  keep(kind, build, key, tags, token, got, value) {
    if (got.verdict !== FRESH || !(got.trusted > 0) || token !== this.token()) return value;
    const now = this.#now();
    const bytes = got.bytes + RECORD_BYTES + key.length;
    const until = Math.min(got.trusted, now + this.#ms);
    if (until <= now || bytes > this.#halfBytes) return value;
    const copy = copier(value, this.#share);
    if (copy === undefined) return value;
    const due = got.modified + got.revalidate;
    const { verdict, known, epoch, modified, revalidate, expire } = got;
    const kept = {
      kind,
      build,
      until,
      due: Number.isNaN(due) ? Infinity : due,
      tags: new Set(tags),
      bytes,
      got: { verdict, known, epoch, modified, revalidate, expire },
      copy,
    };
    this.#unchanged();
    this.#join(kept, key, now);
    this.#put(key, kept, now);
    return copy();
  }

  /** A put or a remove of the key begins, or is answered. @param {string} key */
  wrote(key) {
    this.#writes++;
    this.#forget(key);
  }

  /** Tells the core of hits that it did not see. */
  tell() {
    if (this.#hits === 0) return;
    this.#count(this.#hits);
    this.#hits = 0;
  }

  /** False: a revalidation of this process has ended, and nothing of what was kept is left. */
  #unchanged() {
    const changes = this.#readChanges();
    if (changes === this.#changes) return true;
    this.#changes = changes;
    this.#letGo(this.#young);
    this.#letGo(this.#old);
    this.#young = this.#old = undefined;
    return false;
  }

  /** The same entry, asked for with other tags: from now on for both, for as long as both are trusted. */
  #join(kept, key, now) {
    const other = this.#young?.map.get(key) ?? this.#old?.map.get(key);
    if (other === undefined || other.kind !== kept.kind || other.build !== kept.build) return;
    const { epoch, modified } = other.got;
    if (epoch !== kept.got.epoch || modified !== kept.got.modified || other.until <= now) return;
    if (other.tags.size + kept.tags.size > MOST_TAGS) return;
    let more = false;
    for (const tag of other.tags) {
      more ||= !kept.tags.has(tag);
      kept.tags.add(tag);
    }
    if (more) kept.until = Math.min(kept.until, other.until);
  }

  #put(key, kept, now) {
    this.#forget(key);
    const young = this.#young;
    if (young === undefined || now >= young.takesUntil || young.bytes + kept.bytes > this.#halfBytes) {
      this.#letGo(this.#old);
      this.#old = young;
      this.#young = this.#generation(now);
    }
    this.#young.map.set(key, kept);
    this.#young.bytes += kept.bytes;
  }

  /*
   * Each has a timer of its own, of the request that began it: one for all would hold the first
   * request, with all that belongs to it (AsyncLocalStorage), for as long as the process lives.
   */
  #generation(now) {
    const end = () => {
      if (this.#young === generation) this.#young = undefined;
      if (this.#old === generation) this.#old = undefined;
      this.tell();
    };
    const generation = new Generation(now + this.#ms, setTimeout(end, 2 * this.#ms));
    generation.timer.unref();
    return generation;
  }

  #letGo(generation) {
    if (generation) clearTimeout(generation.timer);
  }

  #forget(key) {
    for (const generation of [this.#young, this.#old]) {
      const kept = generation?.map.get(key);
      if (kept === undefined) continue;
      generation.map.delete(key);
      generation.bytes -= kept.bytes;
    }
  }
}

module.exports = { Memory, RECORD_BYTES, MOST_MS };
