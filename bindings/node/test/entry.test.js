'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { encode, decode } = require('../lib/entry.js');

/** As the store would: parts are other objects, and equal. */
function through(value) {
  const { meta, parts } = encode(value);
  return decode(
    meta,
    parts.map((p) => (typeof p === 'string' ? p : Buffer.from(p))),
  );
}

function same(value) {
  assert.deepEqual(through(value), value);
}

test('a page of 16: html, rscData and segments', () => {
  const rscData = Buffer.from('rsc');
  same({
    kind: 'APP_PAGE',
    html: '<html>',
    rscData,
    headers: { 'x-next-cache-tags': 'a,b', 'set-cookie': ['a', 'b'] },
    status: 200,
    segmentData: new Map([
      ['/_tree', Buffer.from([0, 255])],
      ['/_full', rscData],
    ]),
  });
});

test('rscData and "/_full" are one part, and one Buffer again', () => {
  const rscData = Buffer.alloc(5000, 1);
  const { meta, parts } = encode({ rscData, segmentData: new Map([['/_full', rscData]]) });
  assert.equal(parts.length, 1);
  const value = decode(meta, parts);
  assert.equal(value.segmentData.get('/_full'), value.rscData);
});

test('Buffers with the same bytes that are two objects stay two', () => {
  const value = through({ a: Buffer.from('x'), b: Buffer.from('x') });
  assert.notEqual(value.a, value.b);
});

test('long texts are parts, short ones are not', () => {
  const { meta, parts, names } = encode({ html: 'x'.repeat(513), short: 'y'.repeat(512) });
  assert.deepEqual(parts, ['x'.repeat(513)]);
  assert.deepEqual(names, ['html']);
  assert.ok(meta.includes('yyy'));
});

test('null is a value', () => {
  assert.equal(through(null), null);
  assert.equal(encode(null).meta, 'null');
});

test('undefined members are as if they were not there', () => {
  assert.deepEqual(through({ a: undefined, b: 1 }), { b: 1 });
});

test('empty bodies, texts and Maps', () => {
  same({ body: Buffer.alloc(0), html: '', segmentData: new Map() });
});

test('any code point, also half of one', () => {
  same({ html: `${'\u0000é漢😀\u2028'.repeat(300)}`, lone: '\ud800 \udfff', long: '\ud800'.repeat(600) });
});

test('pageData is one text where it is large', () => {
  const pageData = { pageProps: { list: Array.from({ length: 200 }, (_, i) => ({ i, text: 'é' })) } };
  const { parts } = encode({ kind: 'PAGES', pageData });
  assert.deepEqual(parts, [JSON.stringify(pageData)]);
  same({ kind: 'PAGES', html: 'h', pageData });
  same({ kind: 'PAGES', html: 'h', pageData: {} });
  same({ kind: 'REDIRECT', props: { pageProps: { __N_REDIRECT: '/x' } } });
});

test('what a later version of Next.js may add comes back', () => {
  same({
    kind: 'SOMETHING_NEW',
    list: [1, 'a', null, Buffer.from('b'), new Map([[1, new Map([['k', new Uint8Array([1])]])]])],
    set: new Set(['a', 2]),
    date: new Date(5),
    big: 12345678901234567890n,
    inf: Infinity,
    nan: NaN,
    minus: -Infinity,
    floats: 0.1,
  });
  assert.ok(through({ a: new Uint8Array([1, 2]) }).a.constructor === Uint8Array);
  assert.ok(Buffer.isBuffer(through({ a: Buffer.from('x') }).a));
});

test('members that look like ours', () => {
  same({ $p: 0 });
  same({ headers: { $m: [], other: 1 } });
  same({ a: '{"$p":0}' });
  same({ pageData: { $p: 0 } });
  same({ a: '$', b: '$0', c: '$$', d: '$m', e: ['$m', 'k', 'v'], f: ['$', '$$1', '$0'], g: ['$later'] });
  same({ a: new Map([['$0', '$m']]), b: new Set(['$s', '$1']), html: `$${'x'.repeat(600)}` });
  same('$text');
  same(['$m']);
});

test('__proto__ is a member like any other', () => {
  const value = JSON.parse('{"headers":{"__proto__":{"polluted":1},"$k":"$v","list":[1,["$m"]]}}');
  const back = through(value);
  assert.ok(Object.hasOwn(back.headers, '__proto__'));
  assert.deepEqual(Object.entries(back.headers), Object.entries(value.headers));
  assert.equal({}.polluted, undefined);
});

test('the value is not changed', () => {
  const value = {
    html: 'x'.repeat(600),
    segmentData: new Map([['/_tree', Buffer.from('t')]]),
    headers: Object.freeze({ a: '1' }),
  };
  const { segmentData } = value;
  Object.freeze(value);
  encode(value);
  assert.equal(value.segmentData, segmentData);
  assert.equal(value.html.length, 600);
});

test('an entry with a part missing, or of a newer kind, is an error and so a miss', () => {
  assert.throws(() => decode('{"html":"$3"}', []), /no part 3/);
  assert.throws(() => decode('{"html":["$later",3]}', []), /unknown part/);
  assert.throws(() => decode('{"html":"$later"}', []), /no part/);
});

test('a cycle is an error, not an endless loop', () => {
  const value = { a: {} };
  value.a.b = value;
  assert.throws(() => encode(value), /nested deeper/);
});
