'use strict';
/*
 * The native module: finding it, and the JavaScript half of a call (see native.d.ts for what it
 * offers, ../src/deliver.h for how answers arrive).
 *
 * Nothing is loaded when this file is evaluated, and the path of the module is computed: bundlers
 * pull cache handlers into edge and proxy bundles, where a require() of a .node file they can see
 * fails the build, and loading it fails at run time.
 */

const KIND = Object.freeze({ PAGE: 1, FETCH: 2, IMAGE: 3, USE_CACHE: 4 });
const FLAG = Object.freeze({ RENDER: 16, ANY: 8 });
const FRESH = 1;
const STALE = 2;
const GONE = 3;
const MISS = 0;

/* From larder.h. */
const DO_GET = 1;
const DO_REVALIDATE = 6;
const DO_CHECK = 7;
const DO_EPOCH = 8;
const MODE_EXPIRE = 0;
const MODE_STALE = 1;
const PUT_IF_ABSENT = 1;
const PUT_TELL = 128;
const PUT_RENEWS = 2048;

/* From deliver.h. */
const HAS_DETAIL = 1;
const HAS_ENTRY = 2;
const HAS_BLOCK = 4;
const HAS_TEXT_ARRAY = 8;
const HAS_SLAB = 16;
const LOG_LINES = -2;

// ---- finding it ---------------------------------------------------------------------------

const ADDON = 'larder.node';
/** @type {any} undefined: not tried yet; null: cannot be loaded here */
let loaded;
/** Of node:worker_threads, once something is loaded. @type {(memory: object) => void} */
let markAsUntransferable = () => {};

/** Where the module may be, in order. */
function* candidates(path, fromApp) {
  if (process.env.LARDER_NODE_ADDON) {
    yield path.resolve(process.env.LARDER_NODE_ADDON);
    return;
  }
  const below = (home) => path.join(home, 'prebuilds', `${process.platform}-${process.arch}`, ADDON);
  const here = path.join(__dirname, '..');
  yield below(here);
  try {
    // A bundler may have moved this file.
    yield below(path.dirname(fromApp.resolve('larder/package.json')));
  } catch {
    // Not a dependency of the application's folder: then only the place of this file is known.
  }
  // A checkout: bindings/node is two folders below the root.
  for (const preset of ['release', 'dev']) yield path.join(here, '..', '..', 'build', preset, 'lib', ADDON);
}

function find() {
  // Bundlers put the constant in and drop what they must not see.
  if (process.env.NEXT_RUNTIME !== 'edge') {
    const { createRequire } = require('node:module');
    const path = require('node:path');
    const fs = require('node:fs');
    ({ markAsUntransferable } = require('node:worker_threads'));
    const fromApp = createRequire(path.join(process.cwd(), 'package.json'));
    const paths = [];
    let found;
    for (const file of candidates(path, fromApp)) {
      paths.push(file);
      if (fs.existsSync(file)) {
        found = file;
        break;
      }
    }
    if (!found) {
      throw new Error(
        `there is no ${ADDON} for ${process.platform}-${process.arch} (looked at ${paths.join(', ')}); ` +
          'add it to outputFileTracingIncludes, or name it in LARDER_NODE_ADDON',
      );
    }
    return fromApp(found);
  }
  throw new Error('the edge runtime loads no native modules');
}

function load() {
  if (loaded === undefined) {
    try {
      loaded = find();
    } catch (error) {
      loaded = null;
      const why = String(error.message).split('\n')[0];
      require('./log.js').say('warn', `the native module cannot be loaded, so nothing is cached: ${why}`);
    }
  }
  return loaded;
}

// ---- answers ------------------------------------------------------------------------------

/**
 * The promises of one environment.  There is one desk per native module, also where this file is
 * evaluated twice: it hangs on the module's exports.
 */
class Desk {
  constructor(native) {
    /** @type {Array<((value: any) => void) | undefined>} by slot */
    this.resolvers = [];
    /** Memory that the core reads until the slot's answer comes. @type {any[]} */
    this.kept = [];
    /** @type {number[]} */
    this.free = [];
    this.numbers = new Float64Array(0);
    /** What holds the small blocks of many answers. @type {Buffer | undefined} */
    this.slab = undefined;
    native.connect((count, ...values) => this.deliver(count, values));
  }

  /** A slot, which wait() or drop() ends. */
  take() {
    return this.free.length > 0 ? this.free.pop() : this.resolvers.push(undefined) - 1;
  }

  /**
   * Before the native call: a worker may be terminated as soon as that returns, and its garbage is
   * still collected while it ends.
   */
  keep(slot, memory) {
    this.kept[slot] = memory;
  }

  wait(slot) {
    return new Promise((resolve) => {
      this.resolvers[slot] = resolve;
    });
  }

  drop(slot) {
    this.kept[slot] = undefined;
    this.free.push(slot);
  }

  /** Who has one Buffer of a slab must not take away the others' memory with it. @param {Buffer} slab */
  #begin(slab) {
    markAsUntransferable(slab.buffer);
    this.slab = slab;
  }

  deliver(count, values) {
    if (count < 0) {
      if (count === LOG_LINES) require('./log.js').hear(values);
      else this.numbers = values[0];
      return;
    }
    const { numbers } = this;
    let at = 0;
    let v = 0;
    for (let i = 0; i < count; i++) {
      const slot = numbers[at];
      const code = numbers[at + 1];
      const outcome = numbers[at + 2];
      const known = numbers[at + 3];
      const contents = numbers[at + 4];
      at += 5;
      let answer;
      if (contents & HAS_ENTRY) {
        const n = numbers[at + 5];
        const meta = values[v++];
        if (contents & HAS_SLAB) this.#begin(values[v++]);
        const block = contents & HAS_BLOCK ? values[v++] : this.slab;
        const many = contents & HAS_TEXT_ARRAY ? values[v++] : undefined;
        const parts = new Array(n);
        let m = 0;
        let bytes = meta.length;
        for (let p = 0, pair = at + 6; p < n; p++, pair += 2) {
          const offset = numbers[pair];
          const length = numbers[pair + 1];
          bytes += length;
          if (offset < 0) parts[p] = many ? many[m++] : values[v++];
          else if (length === 0) parts[p] = Buffer.alloc(0);
          else if (length === block.length) parts[p] = block;
          else parts[p] = block.subarray(offset, offset + length);
        }
        answer = {
          verdict: outcome,
          known,
          epoch: numbers[at],
          modified: numbers[at + 1],
          revalidate: numbers[at + 2],
          expire: numbers[at + 3],
          trusted: numbers[at + 4],
          bytes,
          meta,
          parts,
        };
        at += 6 + 2 * n;
      } else {
        answer = answerOf(code, outcome, known, contents & HAS_DETAIL ? values[v++] : undefined);
      }
      const resolve = this.resolvers[slot];
      this.resolvers[slot] = undefined;
      this.kept[slot] = undefined;
      this.free.push(slot);
      resolve(answer);
    }
  }
}

/** An answer without an entry, in the shape of its request. */
function answerOf(code, outcome, known, detail) {
  let answer;
  if (code === DO_GET || code === DO_CHECK) answer = { verdict: outcome, known };
  else if (code === DO_REVALIDATE) answer = { status: outcome, epoch: known };
  else if (code === DO_EPOCH) answer = { status: outcome, known };
  else answer = { status: outcome };
  if (detail !== undefined) answer.detail = detail;
  return answer;
}

/** @returns {Desk} */
function deskOf(native) {
  if (!native.desk) {
    native.desk = new Desk(native);
    const s = require('./state.js').state();
    s.hear = native.hear;
    if (s.log) native.hear(true);
  }
  return native.desk;
}

// ---- a store ------------------------------------------------------------------------------

/** @implements {import('./native').Store} */
class Store {
  #calls;
  #desk;
  #cell;
  #changesCell;

  constructor(calls, desk) {
    this.#calls = calls;
    this.#desk = desk;
    this.#cell = calls.cell;
    this.#changesCell = calls.changesCell;
    this.setWaitMs = calls.setWaitMs;
    this.kept = calls.keepBytes > 0 ? this.#memory() : undefined;
  }

  #memory() {
    const { keepBytes: bytes, keepMs: ms, shareBinary } = this.#calls;
    const { Memory } = require('./kept.js');
    return new Memory({
      bytes,
      ms,
      share: shareBinary !== 0,
      changes: () => (this.#changesCell ? this.#changesCell[0] : this.#calls.changes()),
      count: (n) => this.#calls.countKept(n),
    });
  }

  /** A put or a remove, which is of the key: what is kept for it is forgotten before and after. */
  #writes(key, send) {
    if (!this.kept) return send();
    this.kept.wrote(key);
    return send().then((answer) => {
      this.kept.wrote(key);
      return answer;
    });
  }

  /** refused: what the native function answered; undefined where the call is under way. */
  #end(slot, code, refused) {
    if (refused === undefined) return this.#desk.wait(slot);
    this.#desk.drop(slot);
    return Promise.resolve(answerOf(code, refused[0], this.known(), refused[1]));
  }

  get(kind, build, key, tags, flags) {
    const slot = this.#desk.take();
    return this.#end(slot, DO_GET, this.#calls.get(slot, kind, build, key, tags, flags));
  }

  put(entry) {
    return this.#writes(entry.key, () => this.#put(entry));
  }

  #put(entry) {
    const slot = this.#desk.take();
    // Copied, so that nobody takes a Buffer out while the core reads it.
    const parts = entry.parts.slice();
    const tags = entry.tags.length > 1 ? [...new Set(entry.tags)] : entry.tags;
    this.#desk.keep(slot, parts);
    const refused = this.#calls.put(
      slot,
      entry.kind,
      entry.build,
      entry.key,
      entry.epoch,
      entry.modified,
      entry.revalidate,
      entry.expire,
      tags,
      entry.meta,
      parts,
      entry.names,
      (entry.ifAbsent ? PUT_IF_ABSENT : 0) | (entry.tell ? PUT_TELL | PUT_RENEWS : 0),
    );
    return this.#end(slot, 0, refused);
  }

  remove(kind, build, key) {
    return this.#writes(key, () => {
      const slot = this.#desk.take();
      return this.#end(slot, 0, this.#calls.remove(slot, kind, build, key));
    });
  }

  revalidate(tags, expireInMs) {
    const slot = this.#desk.take();
    const now = expireInMs === undefined || expireInMs <= 0;
    const mode = now ? MODE_EXPIRE : MODE_STALE;
    return this.#end(slot, DO_REVALIDATE, this.#calls.revalidate(slot, tags, mode, now ? 0 : expireInMs));
  }

  check(tags, epoch) {
    const slot = this.#desk.take();
    return this.#end(slot, DO_CHECK, this.#calls.check(slot, tags, epoch));
  }

  epoch() {
    const slot = this.#desk.take();
    return this.#end(slot, DO_EPOCH, this.#calls.epoch(slot));
  }

  noteBuild(build) {
    const slot = this.#desk.take();
    return this.#end(slot, 0, this.#calls.noteBuild(slot, build));
  }

  known() {
    return this.#cell ? this.#cell[0] : this.#calls.known();
  }

  latest() {
    return this.#calls.latest();
  }

  knownAt(ageMs) {
    return this.#calls.knownAt(ageMs);
  }

  drain(ms) {
    return this.#calls.drain(ms);
  }

  stats() {
    this.kept?.tell();
    return this.#calls.stats();
  }

  metrics(format, labels) {
    this.kept?.tell();
    return this.#calls.metrics(format, Object.keys(labels), Object.values(labels));
  }
}

function open(settings) {
  const native = load();
  if (!native) throw new Error('larder: the native module is not loaded');
  const desk = deskOf(native);
  return new Store(native.open(settings.flat()), desk);
}

module.exports = { load, open, KIND, FLAG, FRESH, STALE, GONE, MISS };
