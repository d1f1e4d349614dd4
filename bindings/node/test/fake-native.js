'use strict';
/*
 * A stand-in for native.js: the same interface and the same meanings (docs/semantics.md), in a few
 * lines of JavaScript over one table.  For unit tests of the handlers; and, with a file behind it,
 * for running real Next.js servers where the addon is not built.
 *
 * Not the store: nothing is evicted, nothing is compressed, and only what the tests need is right.
 */
const fs = require('node:fs');
const v8 = require('node:v8');
const { Memory } = require('../lib/kept.js');

const KIND = { PAGE: 1, FETCH: 2, IMAGE: 3, USE_CACHE: 4 };
const FLAG = { RENDER: 16, ANY: 8 };
const FRESH = 1;
const STALE = 2;
const GONE = 3;
const MISS = 0;

class Table {
  constructor() {
    this.data = { epoch: 1, entries: new Map(), marks: new Map() };
  }
  /** Runs fn on the data, alone. */
  with(fn) {
    return fn(this.data);
  }
}

/** The same over a file, between processes: one at a time by a lock folder. */
class FileTable {
  constructor(file) {
    this.file = file;
  }
  with(fn) {
    const lock = `${this.file}.lock`;
    for (let i = 0; ; i++) {
      try {
        fs.mkdirSync(lock);
        break;
      } catch (error) {
        if (error.code !== 'EEXIST' || i > 2000) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
      }
    }
    try {
      let data = { epoch: 1, entries: new Map(), marks: new Map() };
      try {
        data = v8.deserialize(fs.readFileSync(this.file));
      } catch {}
      const before = data.version;
      const result = fn(data);
      if (data.version !== before) {
        fs.writeFileSync(`${this.file}.tmp`, v8.serialize(data));
        fs.renameSync(`${this.file}.tmp`, this.file);
      }
      return result;
    } finally {
      fs.rmdirSync(lock);
    }
  }
}

class FakeStore {
  /**
   * @param {object} [options]
   * @param {Table} [options.table]
   * @param {() => number} [options.now]
   * @param {() => number} [options.mono]
   * @param {number} [options.markAge]   setting mark-age, in ms: fresh answers are trusted for so long
   * @param {boolean} [options.share]    setting memory-share is `all`
   */
  constructor(options = {}) {
    this.table = options.table ?? new Table();
    this.now = options.now ?? Date.now;
    this.mono = options.mono ?? (() => performance.now());
    this.markAge = options.markAge ?? 0;
    /** Revalidations of this process that have ended. */
    this.changes = 0;
    /** Hits that this was told of. */
    this.counted = 0;
    if (this.markAge > 0) {
      this.kept = new Memory({
        bytes: 1 << 20,
        ms: this.markAge,
        share: options.share ?? false,
        changes: () => this.changes,
        count: (n) => (this.counted += n),
        now: this.mono,
      });
    }
    this.epochKnown = 0;
    this.ring = [];
    /** What was asked, for tests: [method, ...arguments]. */
    this.calls = [];
    /** { status, detail }: answers all calls with that failure while it is set. */
    this.failing = null;
    /** Called, and awaited, between asking and answering: tests hold answers back here. */
    this.before = null;
  }

  learn(epoch) {
    if (epoch > this.epochKnown) {
      this.epochKnown = epoch;
      this.ring.push({ at: this.mono(), epoch });
    }
    return this.epochKnown;
  }

  verdict(data, tags, epoch) {
    let verdict = FRESH;
    for (const tag of tags) {
      const mark = data.marks.get(tag);
      if (!mark) continue;
      this.learn(Math.max(mark.expired ?? 0, mark.stale ?? 0));
      if (epoch < (mark.expired ?? 0)) return GONE;
      if (epoch < (mark.stale ?? 0)) {
        if (mark.expireAt !== undefined && mark.expireAt <= this.now()) return GONE;
        verdict = STALE;
      }
    }
    return verdict;
  }

  async answer(method, args, fn) {
    this.calls.push([method, ...args]);
    const failing = this.failing;
    if (this.before) await this.before(method, args);
    else await null;
    if (failing) return { ...failing, verdict: failing.status, known: this.epochKnown };
    return this.table.with(fn);
  }

  async writing(key, method, args, fn) {
    this.kept?.wrote(key);
    const answer = await this.answer(method, args, fn);
    this.kept?.wrote(key);
    return answer;
  }

  where(kind, build, key) {
    return `${kind === KIND.PAGE ? build : 'shared'}/${kind}/${key}`;
  }

  get(kind, build, key, tags, flags) {
    return this.answer('get', [kind, build, key, tags, flags], (data) => {
      const entry = data.entries.get(this.where(kind, build, key));
      if (flags & FLAG.RENDER) this.learn(data.epoch);
      if (!entry) return { verdict: MISS, known: this.learn(0) };
      const verdict = this.verdict(data, new Set([...entry.tags, ...(tags ?? [])]), entry.epoch);
      const known = this.epochKnown;
      if (verdict === GONE) return { verdict, known };
      return {
        verdict,
        known,
        epoch: entry.epoch,
        modified: entry.modified,
        revalidate: entry.revalidate,
        expire: entry.expire,
        trusted: verdict === FRESH && this.markAge > 0 ? this.mono() + this.markAge : 0,
        bytes: entry.parts.reduce((n, p) => n + p.length, entry.meta.length),
        meta: entry.meta,
        parts: entry.parts.map((p) => (typeof p === 'string' ? p : Buffer.from(p))),
      };
    });
  }

  put(entry) {
    // Only the ring's own view of a Buffer may be kept, so parts are copied now.
    const copy = {
      ...entry,
      parts: entry.parts.map((p) => (typeof p === 'string' ? p : Buffer.from(p))),
    };
    return this.writing(entry.key, 'put', [entry], (data) => {
      const where = this.where(entry.kind, entry.build, entry.key);
      if (entry.ifAbsent && data.entries.has(where)) return { status: 1 };
      data.entries.set(where, copy);
      data.version = (data.version ?? 0) + 1;
      return { status: 0 };
    });
  }

  remove(kind, build, key) {
    return this.writing(key, 'remove', [kind, build, key], (data) => {
      data.entries.delete(this.where(kind, build, key));
      data.version = (data.version ?? 0) + 1;
      return { status: 0 };
    });
  }

  revalidate(tags, expireInMs) {
    return this.answer('revalidate', [tags, expireInMs], (data) => {
      const epoch = ++data.epoch;
      data.version = (data.version ?? 0) + 1;
      for (const tag of tags) {
        const mark = { ...data.marks.get(tag) };
        if (expireInMs === undefined) mark.expired = epoch;
        else {
          if (mark.expireAt !== undefined && mark.expireAt <= this.now()) {
            mark.expired = Math.max(mark.expired ?? 0, mark.stale ?? 0);
            mark.expireAt = undefined;
          }
          mark.stale = epoch;
          if (expireInMs !== Infinity)
            mark.expireAt = Math.min(mark.expireAt ?? Infinity, this.now() + expireInMs);
        }
        data.marks.set(tag, mark);
      }
      this.learn(epoch);
      this.changes++;
      return { status: 0, epoch };
    });
  }

  check(tags, epoch) {
    return this.answer('check', [tags, epoch], (data) => {
      const verdict = this.verdict(data, new Set(tags), epoch);
      return { verdict, known: this.epochKnown };
    });
  }

  noteBuild(build) {
    return this.answer('noteBuild', [build], () => ({ status: 0 }));
  }

  epoch() {
    return this.answer('epoch', [], (data) => ({ status: 0, known: this.learn(data.epoch) }));
  }

  known() {
    return this.epochKnown;
  }

  latest() {
    return this.epochKnown;
  }

  knownAt(ageMs) {
    const at = this.mono() - ageMs;
    let epoch = 0;
    for (const entry of this.ring) if (entry.at <= at) epoch = entry.epoch;
    return epoch;
  }

  drain() {
    return true;
  }

  stats() {
    return { calls: this.calls.length };
  }
}

/** @param {FakeStore} store */
function fakeNative(store) {
  return {
    load: () => ({ version: 'fake' }),
    open: (settings) => ((store.settings = settings), store),
    KIND,
    FLAG,
    FRESH,
    STALE,
    GONE,
    MISS,
  };
}

module.exports = { FakeStore, Table, FileTable, fakeNative, KIND, FLAG, FRESH, STALE, GONE, MISS };
