'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { copier, MOST_COPIED_BYTES } = require('../lib/copies.js');
const { encode, decode } = require('../lib/entry.js');

/** As it comes from the store: the parts are one block. */
function fromStore(value) {
  const { meta, parts } = encode(value);
  const bytes = Buffer.concat(parts.filter((p) => typeof p !== 'string'));
  const block = Buffer.allocUnsafeSlow(bytes.length); // not in the pool
  bytes.copy(block);
  let at = 0;
  const views = parts.map((p) => (typeof p === 'string' ? p : block.subarray(at, (at += p.length))));
  return decode(meta, views);
}

const rscData = Buffer.from('rsc');
const value = {
  kind: 'APP_PAGE',
  html: 'h'.repeat(1000),
  rscData,
  headers: { 'x-next-cache-tags': 'a,b', 'set-cookie': ['a=1', 'b=2'], nested: { list: [[1], { x: 1 }] } },
  status: 200,
  nothing: null,
  bytes: new Uint8Array([1, 2, 3]),
  empty: Buffer.alloc(0),
  when: new Date(5),
  names: new Set(['a', 'b']),
  count: 5n,
  segmentData: new Map([['/_tree', Buffer.from('tree')], ['/_full', rscData]]),
};

/** Every object in it, but strings. */
function objects(v, found = new Set()) {
  if (v === null || typeof v !== 'object' || found.has(v)) return found;
  found.add(v);
  if (ArrayBuffer.isView(v)) return found;
  const members = v instanceof Map ? [...v.keys(), ...v.values()] : v instanceof Set ? [...v] : Object.values(v);
  for (const member of members) objects(member, found);
  return found;
}

test('a copy is equal, and has no object in common with another', () => {
  const copy = copier(fromStore(value), false);
  const [one, two] = [copy(), copy()];
  assert.deepEqual(one, value);
  assert.deepEqual(two, value);
  const common = [...objects(one)].filter((o) => objects(two).has(o));
  assert.deepEqual(common, []);
  assert.ok(Buffer.isBuffer(one.rscData) && !Buffer.isBuffer(one.bytes));
});

test('what one reader writes into its bytes, no other sees', () => {
  const copy = copier(fromStore(value), false);
  const one = copy();
  for (const v of [one.rscData, one.bytes, one.segmentData.get('/_tree')]) v.fill(0);
  assert.deepEqual(copy(), value);
});

test('one Buffer in two places is one in each copy', () => {
  const one = copier(fromStore(value), false)();
  assert.equal(one.segmentData.get('/_full'), one.rscData);
});

test('bytes that are no block are copied too', () => {
  const apart = { a: Buffer.from('one'), b: new Uint8Array([7]), c: Buffer.alloc(5000, 'c') };
  const copy = copier(apart, false);
  copy().c.fill(0);
  assert.deepEqual(copy(), { a: Buffer.from('one'), b: new Uint8Array([7]), c: Buffer.alloc(5000, 'c') });
});

test('with memory-share=all Buffers are the same, and objects are not', () => {
  const given = fromStore(value);
  const buffer = given.rscData;
  const copy = copier(given, true);
  const [one, two] = [copy(), copy()];
  assert.deepEqual(one, value);
  assert.ok(one.rscData === buffer && two.rscData === buffer);
  assert.notEqual(one.segmentData, two.segmentData);
  assert.notEqual(one.headers['set-cookie'], two.headers['set-cookie']);
});

for (const share of [false, true]) {
  test(`a small part of a large memory does not hold that: memory-share=${share ? 'all' : 'texts'}`, () => {
    const memory = Buffer.alloc(65536, 'x');
    const small = { a: memory.subarray(8, 108), b: memory.subarray(112, 120) };
    const copy = copier(small, share);
    assert.deepEqual(copy(), { a: Buffer.alloc(100, 'x'), b: Buffer.alloc(8, 'x') });
    structuredClone(memory.buffer, { transfer: [memory.buffer] });
    assert.equal(small.a.length, 0);
    assert.deepEqual(copy(), { a: Buffer.alloc(100, 'x'), b: Buffer.alloc(8, 'x') });
  });
}

test('a shared Buffer whose memory was taken away is not given again', () => {
  const copy = copier({ body: Buffer.from(new ArrayBuffer(8)) }, true);
  structuredClone(copy().body.buffer, { transfer: [copy().body.buffer] });
  assert.equal(copy(), undefined);
});

test('pageData is one for all, and nobody can write into it', () => {
  const large = { kind: 'PAGES', html: '', pageData: { pageProps: { list: [{ text: 'x'.repeat(1000) }] } } };
  for (const page of [large, { kind: 'REDIRECT', props: { pageProps: { __N_REDIRECT: '/x' } } }]) {
    const copy = copier(fromStore(page), false);
    const member = page.pageData ? 'pageData' : 'props';
    assert.equal(copy()[member], copy()[member]);
    assert.deepEqual(copy(), page);
    assert.throws(() => (copy()[member].pageProps.other = 1), TypeError);
  }
  assert.throws(() => copier(fromStore(large), false)().pageData.pageProps.list.push(1), TypeError);
  // With "all" as Next.js keeps it itself.
  assert.ok(!Object.isFrozen(copier(fromStore(large), true)().pageData));
});

test('pageData that is more than JSON is copied', () => {
  const page = { pageData: { at: new Date(5), bytes: Buffer.from('b') } };
  const copy = copier(fromStore(page), false);
  copy().pageData.bytes.fill(0);
  copy().pageData.at.setTime(0);
  assert.deepEqual(copy(), page);
});

test('very deep JSON is no matter', () => {
  const text = `{"pageData":${'['.repeat(50_000)}${']'.repeat(50_000)}}`;
  assert.ok(Object.isFrozen(copier(JSON.parse(text), false)().pageData));
});

test('what cannot be copied, or not quickly, has no copier', () => {
  assert.equal(copier(JSON.parse('{"headers": {"__proto__": {"a": 1}}}'), false), undefined);
  const large = () => ({ body: Buffer.alloc(MOST_COPIED_BYTES + 1) });
  assert.equal(copier(large(), false), undefined);
  assert.equal(copier(large(), true)().body.length, MOST_COPIED_BYTES + 1);
});

test('values that are no objects are their own copies', () => {
  for (const v of [null, 'text', 5, true]) assert.equal(copier(v, false)(), v);
});
