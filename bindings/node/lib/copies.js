'use strict';
/*
 * One value, given to many readers.  Each gets objects, Maps and Buffers of its own, so that what one
 * of them writes is seen by nobody else; strings are shared, as they cannot be written.
 *
 * What there is to copy is found out once, so that a copy costs little for each object, and one copy of
 * bytes for all binary parts together, of which each Buffer is a view.
 *
 * JSON members (`pageData`, `props`: of any size, and of any depth) are shared and frozen instead.
 * Next.js 14 to 16 only reads them: it writes pageData as JSON, and reads where a redirect goes.
 */
const { JSON_MEMBERS } = require('./entry.js');

/** Bytes beside those of the views that may be copied along, to have one block: as in deliver.c. */
const SLACK_BYTES = 64;
/** To copy more takes this thread longer than to ask the core, which copies on its own. */
const MOST_COPIED_BYTES = 128 * 1024;

/**
 * All objects and arrays of a JSON value; undefined: it is more than JSON.  Without recursion: it may be as
 * deep as it likes.
 */
function jsonNodes(value) {
  const nodes = [value];
  for (let i = 0; i < nodes.length; i++) {
    const node = nodes[i];
    if (!Array.isArray(node) && Object.getPrototypeOf(node) !== Object.prototype) return undefined;
    for (const member of Object.values(node)) if (member !== null && typeof member === 'object') nodes.push(member);
  }
  return nodes;
}

/** What is found in a value on the way to its plan. */
class Found {
  constructor() {
    /** All its Buffers, each once. @type {Uint8Array[]} */
    this.views = [];
    /** @type {Map<Uint8Array, number>} */
    this.places = new Map();
    /** A member "__proto__": to assign it would set a prototype. */
    this.proto = false;
  }

  /** @param {Uint8Array} view @returns {number} */
  add(view) {
    let at = this.places.get(view);
    if (at === undefined) this.places.set(view, (at = this.views.push(view) - 1));
    return at;
  }
}

/**
 * A small view may lie in memory that others share: in a slab with those of other answers (native.js), or in
 * Node.js's own pool.  What is kept is not to hold that.
 */
const SHARED_BYTES = 4096;
const holdsMore = (held, bytes) => held > 2 * bytes + SHARED_BYTES;

/** In memory that nothing else lies in. @param {Uint8Array} bytes */
function apart(bytes) {
  const own = Buffer.allocUnsafeSlow(bytes.byteLength);
  own.set(bytes);
  return own;
}

/** The views' bytes as one block, which is nobody else's. */
class Block {
  /** @param {Uint8Array[]} views */
  constructor(views) {
    const { buffer } = views[0];
    let low = Infinity;
    let high = 0;
    let sum = 0;
    for (const { byteOffset, byteLength } of views) {
      low = Math.min(low, byteOffset);
      high = Math.max(high, byteOffset + byteLength);
      sum += byteLength;
    }
    const together = views.every((v) => v.buffer === buffer) && high - low <= sum + sum / 8 + SLACK_BYTES;
    this.bytes = together ? Buffer.from(buffer, low, high - low) : Buffer.concat(views);
    if (holdsMore(this.bytes.buffer.byteLength, this.bytes.length)) this.bytes = apart(this.bytes);
    let end = 0;
    this.shapes = views.map((v) => {
      end += v.byteLength;
      const offset = together ? v.byteOffset - low : end - v.byteLength;
      return { offset, length: v.byteLength, isBuffer: Buffer.isBuffer(v) };
    });
  }

  /** @returns {Uint8Array[]} in the order of the views */
  copy() {
    return this.over(Buffer.from(this.bytes));
  }

  /** @param {Buffer} block  this one's bytes, or a copy */
  over(block) {
    return this.shapes.map(({ offset, length, isBuffer }) => {
      if (!isBuffer) return new Uint8Array(block.buffer, block.byteOffset + offset, length);
      return length === block.length ? block : block.subarray(offset, offset + length);
    });
  }
}

/*
 * Plans: make(binary) answers a copy.  What is no object has none, and is copied as it is.
 */
class ObjectPlan {
  constructor(source) {
    this.source = source;
    this.names = [];
    this.plans = [];
  }
  make(binary) {
    // Not a spread: to an object that was made by one, V8 adds a private member (state.js) slowly.
    const copy = Object.assign({}, this.source);
    for (let i = 0; i < this.names.length; i++) copy[this.names[i]] = this.plans[i].make(binary);
    return copy;
  }
}

class ListPlan {
  constructor(source, plans) {
    this.source = source;
    this.plans = plans;
    this.flat = plans.every((plan) => plan === undefined);
  }
  make(binary) {
    if (this.flat) return this.source.slice();
    return this.source.map((v, i) => (this.plans[i] ? this.plans[i].make(binary) : v));
  }
}

class MapPlan {
  constructor(entries, key, value) {
    this.entries = entries;
    this.key = key;
    this.value = value;
  }
  make(binary) {
    const map = new Map();
    for (let i = 0; i < this.entries.length; i++) {
      const [k, v] = this.entries[i];
      map.set(this.key[i] ? this.key[i].make(binary) : k, this.value[i] ? this.value[i].make(binary) : v);
    }
    return map;
  }
}

class SetPlan {
  constructor(list) {
    this.list = list;
  }
  make(binary) {
    return new Set(this.list.make(binary));
  }
}

class DatePlan {
  constructor(time) {
    this.time = time;
  }
  make() {
    return new Date(this.time);
  }
}

class BinaryPlan {
  constructor(at) {
    this.at = at;
  }
  make(binary) {
    return binary[this.at];
  }
}

/** Of an object without shared members. */
const NOTHING = new Map();

/** @param {any} v @param {Found} found @param {Map<string, any>} [shared]  members that are not copied */
function planOf(v, found, shared = NOTHING) {
  if (v === null || typeof v !== 'object') return undefined;
  if (ArrayBuffer.isView(v)) return new BinaryPlan(found.add(/** @type {Uint8Array} */ (v)));
  const plans = (list) => list.map((x) => planOf(x, found));
  if (Array.isArray(v)) return new ListPlan(v, plans(v));
  if (v instanceof Map) return new MapPlan([...v], plans([...v.keys()]), plans([...v.values()]));
  if (v instanceof Set) return new SetPlan(new ListPlan([...v], plans([...v])));
  if (v instanceof Date) return new DatePlan(v.getTime());
  const plan = new ObjectPlan(v);
  for (const name of Object.keys(v)) {
    if (name === '__proto__') found.proto = true;
    const member = shared.has(name) ? undefined : planOf(v[name], found);
    if (!member) continue;
    plan.names.push(name);
    plan.plans.push(member);
  }
  return plan;
}

/**
 * Takes the value over, unless it answers undefined: then it is as it was.
 * @param {any} value   as decode() makes it
 * @param {boolean} share   Buffers are given to all readers as they are, and nothing is frozen
 * @returns {(() => any) | undefined} a copy each time; undefined once a reader has taken a shared Buffer's
 *     memory away.  No function: the value is not one to be copied.
 */
function copier(value, share) {
  if (value === null || typeof value !== 'object') return () => value;
  const found = new Found();
  const { views } = found;
  const json = new Map();
  for (const name of JSON_MEMBERS) {
    const member = Object.hasOwn(value, name) ? value[name] : null;
    const nodes = member !== null && typeof member === 'object' ? jsonNodes(member) : undefined;
    if (nodes) json.set(name, nodes);
  }
  const plan = planOf(value, found, json);
  if (found.proto) return undefined;
  const bytes = views.reduce((n, v) => n + v.byteLength, 0);
  if (share) {
    const held = [...new Set(views.map((v) => v.buffer))].reduce((n, b) => n + b.byteLength, 0);
    const block = holdsMore(held, bytes) ? new Block(views) : undefined;
    const shared = block ? block.over(block.bytes) : views;
    const lengths = shared.map((v) => v.byteLength);
    return () => (shared.every((v, i) => v.byteLength === lengths[i]) ? plan.make(shared) : undefined);
  }
  if (bytes > MOST_COPIED_BYTES) return undefined;
  for (const nodes of json.values()) nodes.forEach(Object.freeze);
  if (views.length === 0) return () => plan.make(views);
  const block = new Block(views);
  return () => plan.make(block.copy());
}

module.exports = { copier, MOST_COPIED_BYTES };
