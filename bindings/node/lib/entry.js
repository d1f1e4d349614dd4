'use strict';
/*
 * Between a value of Next.js and what the store keeps of it: one JSON text (`meta`) and the parts
 * that are big or binary, which the addon takes and gives without copying.
 *
 * Nothing is known here about kinds: any tree of JSON values, Buffers, typed arrays, Maps, Sets
 * and dates passes through, so what a later version of Next.js adds is kept as well.  In the meta
 * text strings and arrays that begin with "$" stand for something JSON has not:
 *
 *   "$i"          part i: a string, or a Buffer      ["$u", i]       part i as a Uint8Array
 *   "$$text"      the string "$text"                 ["$j", i]       JSON text in part i
 *   ["$m", k, v, ...]  a Map                         ["$s", v, ...]  a Set
 *   ["$d", ms]    a Date                             ["$b", "1"]     a BigInt
 *   ["$n", "NaN"] a number that JSON has not
 *   ["$o", k, v, ...]  an object with a member "__proto__"
 *
 * Few and flat, because reading this text is a good part of what a hit costs.
 */

/** Strings above this are parts: below it, a part costs more than it saves. */
const LONG_STRING = 512;
/** Members that are JSON by contract and may be large: kept as one text, so that it need not be walked. */
const JSON_MEMBERS = new Set(['pageData', 'props']);
const MAX_DEPTH = 100;
const DOLLAR = 36;
const NINE = 57;

/**
 * The value is not changed: Next.js goes on using it.
 * @param {any} value
 * @returns {{ meta: string, parts: Array<string | Uint8Array>, names: string[] }}
 */
function encode(value) {
  const parts = [];
  const names = [];
  // The same Buffer twice (rscData and segmentData "/_full") is one part, and one Buffer again
  // when it is read.
  const seen = new Map();

  function part(data, name) {
    parts.push(data);
    names.push(name);
    return parts.length - 1;
  }

  function walk(v, name, depth) {
    if (v === null || v === undefined) return v;
    switch (typeof v) {
      case 'string':
        if (v.length > LONG_STRING) return `$${part(v, name)}`;
        return v.charCodeAt(0) === DOLLAR ? `$${v}` : v;
      case 'number':
        return Number.isFinite(v) ? v : ['$n', String(v)];
      case 'boolean':
        return v;
      case 'bigint':
        return ['$b', String(v)];
      case 'object':
        break;
      default:
        return undefined;
    }
    if (depth > MAX_DEPTH)
      throw new TypeError(`a value nested deeper than ${MAX_DEPTH} levels cannot be cached`);
    if (ArrayBuffer.isView(v)) {
      let at = seen.get(v);
      if (at === undefined) {
        at = part(v instanceof Uint8Array ? v : new Uint8Array(v.buffer, v.byteOffset, v.byteLength), name);
        seen.set(v, at);
      }
      return Buffer.isBuffer(v) ? `$${at}` : ['$u', at];
    }
    if (v instanceof ArrayBuffer) return ['$u', part(new Uint8Array(v), name)];
    if (Array.isArray(v)) return v.map((x, i) => walk(x, `${name}[${i}]`, depth + 1) ?? null);
    if (v instanceof Map) {
      const list = ['$m'];
      for (const [k, x] of v)
        list.push(walk(k, name, depth + 1) ?? null, walk(x, `${name}:${k}`, depth + 1) ?? null);
      return list;
    }
    if (v instanceof Set) return ['$s', ...[...v].map((x) => walk(x, name, depth + 1) ?? null)];
    if (v instanceof Date) return ['$d', v.getTime()];
    if (typeof v.toJSON === 'function') return walk(v.toJSON(), name, depth + 1);
    const keys = Object.keys(v);
    const members = keys.map((k) => {
      const x = v[k];
      const at = name ? `${name}.${k}` : k;
      if (x !== null && typeof x === 'object' && depth === 0 && JSON_MEMBERS.has(k)) {
        const text = JSON.stringify(x);
        return [k, text.length > LONG_STRING ? ['$j', part(text, at)] : walk(x, at, depth + 1)];
      }
      return [k, walk(x, at, depth + 1)];
    });
    if (keys.includes('__proto__')) return ['$o', ...members.flatMap(([k, x]) => [walk(k, name, depth), x ?? null])];
    return Object.fromEntries(members);
  }

  const meta = JSON.stringify(walk(value, '', 0) ?? null);
  return { meta, parts, names };
}

function partOf(parts, i) {
  const p = parts[i];
  if (p === undefined) throw new Error(`the entry has no part ${i}`);
  return p;
}

/** An array that begins with "$" and a letter. */
function reviveTagged(list, parts) {
  const x = list[1];
  switch (list[0]) {
    case '$m': {
      const map = new Map();
      for (let i = 1; i < list.length; i += 2) map.set(revive(list[i], parts), revive(list[i + 1], parts));
      return map;
    }
    case '$s':
      return new Set(list.slice(1).map((y) => revive(y, parts)));
    case '$u': {
      const p = partOf(parts, x);
      if (typeof p === 'string') throw new Error(`part ${x} is text`);
      return new Uint8Array(p.buffer, p.byteOffset, p.byteLength);
    }
    case '$j':
      return JSON.parse(/** @type {string} */ (partOf(parts, x)));
    case '$d':
      return new Date(x);
    case '$n':
      return Number(x);
    case '$b':
      return BigInt(x);
    case '$o': {
      const object = {};
      for (let i = 1; i < list.length; i += 2) {
        Object.defineProperty(object, revive(list[i], parts), {
          value: revive(list[i + 1], parts),
          enumerable: true,
          writable: true,
          configurable: true,
        });
      }
      return object;
    }
    default:
      throw new Error(`the entry has an unknown part ${list[0]}`);
  }
}

function isTag(x) {
  // A digit is a part, a "$" a text.
  return typeof x === 'string' && x.charCodeAt(0) === DOLLAR && x.charCodeAt(1) > NINE;
}

/** In place: v is what JSON.parse() made. */
function revive(v, parts) {
  if (typeof v === 'string') {
    if (v.charCodeAt(0) !== DOLLAR) return v;
    return v.charCodeAt(1) === DOLLAR ? v.slice(1) : partOf(parts, Number(v.slice(1)));
  }
  if (v === null || typeof v !== 'object') return v;
  if (Array.isArray(v)) {
    if (isTag(v[0])) return reviveTagged(v, parts);
    for (let i = 0; i < v.length; i++) v[i] = revive(v[i], parts);
    return v;
  }
  for (const k of Object.keys(v)) {
    const x = v[k];
    if (typeof x === 'string' ? x.charCodeAt(0) === DOLLAR : typeof x === 'object') v[k] = revive(x, parts);
  }
  return v;
}

/**
 * @param {string} meta
 * @param {Array<string | Buffer>} parts
 * @returns {any}
 */
function decode(meta, parts) {
  const value = JSON.parse(meta);
  return meta.includes('"$') ? revive(value, parts) : value;
}

module.exports = { encode, decode, LONG_STRING, JSON_MEMBERS };
