'use strict';
/*
 * Between a value of Next.js and what the store keeps of it: one JSON text (`meta`) and the parts
 * that are big or binary, which the addon takes and gives without copying.
 *
 * Nothing is known here about kinds: any tree of JSON values, Buffers, typed arrays, Maps, Sets
 * and dates passes through, so what a later version of Next.js adds is kept as well.  In the meta
 * text an object whose only member begins with "$" stands for something JSON has not:
 *
 *   {"$p": i}          part i: a string, or a Buffer         {"$u": i}  part i as a Uint8Array
 *   {"$j": i}          JSON text in part i                    {"$m": [[k, v] ...]}  a Map
 *   {"$s": [v ...]}    a Set                                  {"$d": ms}  a Date
 *   {"$n": "NaN"}      a number that JSON has not             {"$b": "1"}  a BigInt
 *   {"$o": [[k, v] ...]}  an object that itself has members beginning with "$"
 */

/** Strings above this are parts: below it, a part costs more than it saves. */
const LONG_STRING = 512;
/** Members that are JSON by contract and may be large: kept as one text, so that it need not be walked. */
const JSON_MEMBERS = new Set(['pageData', 'props']);
const MAX_DEPTH = 100;

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
        return v.length > LONG_STRING ? { $p: part(v, name) } : v;
      case 'number':
        return Number.isFinite(v) ? v : { $n: String(v) };
      case 'boolean':
        return v;
      case 'bigint':
        return { $b: String(v) };
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
      return Buffer.isBuffer(v) ? { $p: at } : { $u: at };
    }
    if (v instanceof ArrayBuffer) return { $u: part(new Uint8Array(v), name) };
    if (Array.isArray(v)) return v.map((x, i) => walk(x, `${name}[${i}]`, depth + 1) ?? null);
    if (v instanceof Map) {
      return {
        $m: [...v].map(([k, x]) => [walk(k, name, depth + 1) ?? null, walk(x, `${name}:${k}`, depth + 1)]),
      };
    }
    if (v instanceof Set) return { $s: [...v].map((x) => walk(x, name, depth + 1) ?? null) };
    if (v instanceof Date) return { $d: v.getTime() };
    if (typeof v.toJSON === 'function') return walk(v.toJSON(), name, depth + 1);
    const keys = Object.keys(v);
    const members = keys.map((k) => {
      const x = v[k];
      const at = name ? `${name}.${k}` : k;
      if (x !== null && typeof x === 'object' && depth === 0 && JSON_MEMBERS.has(k)) {
        const text = JSON.stringify(x);
        return [k, text.length > LONG_STRING ? { $j: part(text, at) } : walk(x, at, depth + 1)];
      }
      return [k, walk(x, at, depth + 1)];
    });
    if (keys.some((k) => k.startsWith('$') || k === '__proto__')) return { $o: members };
    return Object.fromEntries(members);
  }

  const meta = JSON.stringify(walk(value, '', 0) ?? null);
  return { meta, parts, names };
}

/**
 * @param {string} meta
 * @param {Array<string | Buffer>} parts
 * @returns {any}
 */
function decode(meta, parts) {
  const bytes = (i) => {
    const p = parts[i];
    if (p === undefined) throw new Error(`the entry has no part ${i}`);
    return p;
  };
  const walk = (v) => {
    if (v === null || typeof v !== 'object') return v;
    if (Array.isArray(v)) {
      for (let i = 0; i < v.length; i++) v[i] = walk(v[i]);
      return v;
    }
    const keys = Object.keys(v);
    if (keys.length === 1 && keys[0].charCodeAt(0) === 36 /* $ */) {
      const x = v[keys[0]];
      switch (keys[0]) {
        case '$p':
          return bytes(x);
        case '$u': {
          const p = bytes(x);
          if (typeof p === 'string') throw new Error(`part ${x} is text`);
          return new Uint8Array(p.buffer, p.byteOffset, p.byteLength);
        }
        case '$j':
          return JSON.parse(/** @type {string} */ (bytes(x)));
        case '$m':
          return new Map(x.map(([k, y]) => [walk(k), walk(y)]));
        case '$s':
          return new Set(x.map(walk));
        case '$d':
          return new Date(x);
        case '$n':
          return Number(x);
        case '$b':
          return BigInt(x);
        case '$o': {
          const object = {};
          for (const [k, y] of x) {
            Object.defineProperty(object, k, {
              value: walk(y),
              enumerable: true,
              writable: true,
              configurable: true,
            });
          }
          return object;
        }
        default:
          throw new Error(`the entry has an unknown part ${keys[0]}`);
      }
    }
    for (const k of keys) {
      const x = v[k];
      if (x !== null && typeof x === 'object') v[k] = walk(x);
    }
    return v;
  };
  const value = JSON.parse(meta);
  return meta.includes('{"$') ? walk(value) : value;
}

module.exports = { encode, decode, LONG_STRING };
