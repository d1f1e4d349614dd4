'use strict';
/* What goes into the addon comes out of it: values, tags, verdicts, errors. */
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { native, openMemory, memorySettings, entry, roundTrip } = require('./support/native.js');

const { FRESH, STALE, GONE, MISS, KIND, FLAG } = native;
const INVALID = -7;

const texts = {
  'nothing': '',
  'one letter': 'a',
  'ASCII': '<p>hello</p>',
  'Latin-1': 'é'.repeat(40),
  'a NUL': 'a\0b',
  'two-byte': 'ab漢字',
  'astral': 'a😀b',
  'a lone high surrogate': 'a\ud800b',
  'a lone low surrogate': '\udc00',
  'surrogates the wrong way round': '\udc00\ud800',
  'a byte order mark': '\ufeffa',
  'noncharacters': '\uffff\ufffe',
};
// Around the sizes at which another way of handing over begins: the short buffer for arguments,
// external strings (in Latin-1 and in UTF-16), external blocks.
for (const n of [509, 510, 511, 512, 513, 2047, 2048, 2049, 4095, 4096, 4097, 8192, 300000]) {
  texts[`${n} ASCII`] = 'a'.repeat(n);
  texts[`${n} Latin-1`] = 'a'.repeat(n - 1) + 'é';
  texts[`${n} two-byte`] = '漢' + 'a'.repeat(n - 1);
  texts[`${n} with a lone surrogate at the end`] = 'a'.repeat(n - 1) + '\ud83d';
}

test('a text part comes out as it went in', async (t) => {
  const store = openMemory();
  for (const [name, text] of Object.entries(texts)) {
    await t.test(name, async () => {
      const got = await roundTrip(store, { parts: [text, 'another'] });
      assert.ok(got.parts[0] === text);
      assert.equal(got.parts[1], 'another');
    });
  }
});

test('keys, builds, tags and meta may be any text', async (t) => {
  const store = openMemory();
  for (const [name, text] of Object.entries(texts)) {
    if (text === '') continue;
    await t.test(name, async () => {
      const got = await roundTrip(store, { key: text, build: text, tags: [text], meta: text });
      assert.ok(got.meta === text);
      const other = await store.get(KIND.PAGE, 'build', `${text}.`, null, 0);
      assert.equal(other.verdict, MISS);
      await store.revalidate([text]);
      assert.equal((await store.get(KIND.PAGE, text, text, null, 0)).verdict, GONE);
    });
  }
});

test('builds are noted, each once an hour', async () => {
  const store = openMemory();
  assert.equal((await store.noteBuild('one é')).status, 0);
  assert.equal((await store.noteBuild('two')).status, 0);
  assert.equal((await store.noteBuild('one é')).status, 1);
  assert.equal((await store.noteBuild('')).status, INVALID);
});

test('an empty meta is an empty string', async () => {
  assert.equal((await roundTrip(openMemory(), { meta: '' })).meta, '');
});

test('a binary part comes out as it went in', async (t) => {
  const store = openMemory();
  for (const n of [0, 1, 255, 4096, 8191, 8192, 8193, 300000]) {
    await t.test(`${n} bytes`, async () => {
      const bytes = Buffer.from(Array.from({ length: n }, (_, i) => i % 251));
      const { parts } = await roundTrip(store, { parts: [bytes] });
      assert.equal(parts.length, 1);
      assert.ok(Buffer.isBuffer(parts[0]));
      assert.ok(parts[0].equals(bytes));
    });
  }
});

test('all byte values survive', async () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  const { parts } = await roundTrip(openMemory(), { parts: [bytes, Buffer.concat(Array(64).fill(bytes))] });
  assert.deepEqual(parts[0], bytes);
  assert.ok(parts[1].equals(Buffer.concat(Array(64).fill(bytes))));
});

test('a Buffer of 20 MB and a text of 20 MB', async () => {
  const bytes = Buffer.alloc(20 << 20, 'a body of some length. ');
  const text = '<li>é</li>'.repeat(2 << 20);
  const { parts } = await roundTrip(openMemory(), { parts: [text, bytes] });
  assert.ok(parts[0] === text);
  assert.ok(parts[1].equals(bytes));
});

test('texts and binaries keep their places', async () => {
  const parts = ['one', Buffer.from('two'), '', Buffer.alloc(0), 'é'.repeat(2000), Buffer.alloc(9000, 6), Buffer.from('seven')];
  const got = await roundTrip(openMemory(), { parts });
  assert.deepEqual(got.parts, parts);
});

test('a view into a larger buffer stores what it shows', async () => {
  const bytes = new Uint8Array(64).map((_, i) => i);
  const got = await roundTrip(openMemory(), { parts: [bytes.subarray(10, 20), Buffer.from('pooled').subarray(1, 3)] });
  assert.deepEqual([...got.parts[0]], [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  assert.equal(got.parts[1].toString(), 'oo');
});

test('small binary parts of many answers: each has its bytes, for as long as it is kept', async () => {
  const store = openMemory();
  const keys = Array.from({ length: 100 }, (_, i) => `small ${i}`);
  const bytes = (i) => [Buffer.alloc(37 * i, i), Buffer.from(`part ${i}`)];
  const { known: epoch } = await store.epoch();
  for (const [i, key] of keys.entries()) assert.equal((await store.put(entry({ key, epoch, parts: bytes(i) }))).status, 0);
  const get = (key) => store.get(native.KIND.PAGE, 'build', key, null, 0);
  const all = [];
  for (let round = 0; round < 3; round++) all.push(...(await Promise.all(keys.map(get))));
  all.forEach((got, n) => assert.deepEqual(got.parts, bytes(n % keys.length)));
  // They may lie side by side, and are apart all the same.
  all.forEach((got, n) => n % 2 || got.parts.forEach((part) => part.fill(255)));
  all.forEach((got, n) => n % 2 && assert.deepEqual(got.parts, bytes(n % keys.length)));
});

test('who takes the memory of one small Buffer away does not get that of others', async () => {
  const store = openMemory();
  const parts = [Buffer.from('small')];
  const [part] = (await roundTrip(store, { parts })).parts;
  const { buffer } = part;
  try {
    structuredClone(buffer, { transfer: [buffer] }); // Node.js 20 copies it, later ones refuse
  } catch (error) {
    assert.equal(error.name, 'DataCloneError');
  }
  assert.deepEqual(part, parts[0]);
  try {
    buffer.transfer?.(); // in Node.js 22 nothing can forbid it
  } catch (error) {
    assert.ok(error instanceof TypeError);
    assert.deepEqual(part, parts[0]);
  }
  assert.deepEqual((await roundTrip(store, { parts })).parts, parts);
});

test('the same Buffer twice', async () => {
  const bytes = Buffer.alloc(10000, 'rsc');
  const got = await roundTrip(openMemory(), { parts: [bytes, 'between', bytes] });
  assert.ok(got.parts[0].equals(bytes));
  assert.ok(got.parts[2].equals(bytes));
});

test('more parts than fit into one delivery', async () => {
  const parts = Array.from({ length: 5000 }, (_, i) => (i % 3 ? `text ${i}` : Buffer.from(`bytes ${i}`)));
  const store = openMemory();
  const got = await roundTrip(store, { parts, names: parts.map((_, i) => `part ${i}`) });
  assert.deepEqual(got.parts, parts);
  // And what follows is in order again.
  assert.deepEqual((await roundTrip(store, { parts: ['next'] })).parts, ['next']);
});

test('many answers at once reach their own promises', async () => {
  const store = openMemory();
  const { known } = await store.epoch();
  const keys = Array.from({ length: 1000 }, (_, i) => `key ${i}`);
  await Promise.all(keys.map((key, i) => store.put(entry({ key, epoch: known, meta: `meta ${i}`, parts: [key, Buffer.from(key)] }))));
  const got = await Promise.all(keys.map((key) => store.get(KIND.PAGE, 'build', key, ['a', 'b'], 0)));
  got.forEach((answer, i) => {
    assert.equal(answer.meta, `meta ${i}`);
    assert.deepEqual(answer.parts, [keys[i], Buffer.from(keys[i])]);
  });
});

test('numbers: none is NaN, for ever is Infinity', async () => {
  const store = openMemory();
  const got = await roundTrip(store, { revalidate: NaN, expire: Infinity, modified: 1234567890123 });
  assert.ok(Number.isNaN(got.revalidate));
  assert.equal(got.expire, Infinity);
  assert.equal(got.modified, 1234567890123);
  const other = await roundTrip(store, { revalidate: Infinity, expire: 90061 });
  assert.equal(other.revalidate, Infinity);
  assert.equal(other.expire, 90061);
});

test('an epoch that is none is stored as the oldest one', async () => {
  const store = openMemory();
  for (const epoch of [NaN, Infinity, -5]) {
    await store.put(entry({ epoch }));
    const got = await store.get(KIND.PAGE, 'build', 'a key', null, FLAG.ANY);
    assert.equal(got.epoch, 0);
  }
});

test('the answer tells the epoch to note, and known() the same without a call', async () => {
  const store = openMemory();
  const { status, known } = await store.epoch();
  assert.equal(status, 0);
  assert.ok(known > 0);
  assert.equal(store.known(), known);
  const miss = await store.get(KIND.PAGE, 'build', 'nothing', null, FLAG.RENDER);
  assert.deepEqual(miss, { verdict: MISS, known });
  const { epoch } = await store.revalidate(['t']);
  assert.ok(epoch > known);
  assert.equal(store.known(), epoch);
  assert.equal(store.knownAt(0), epoch);
  assert.equal(store.knownAt(1e12), 0);
});

test('revalidation makes entries gone, or stale for a time', async () => {
  const store = openMemory();
  const { known } = await store.epoch();
  const verdict = async () => (await store.get(KIND.PAGE, 'build', 'a key', null, 0)).verdict;

  await store.put(entry({ epoch: known, tags: ['t', 't', 'u'] }));
  assert.equal(await verdict(), FRESH);
  assert.deepEqual(await store.check(['t'], known), { verdict: FRESH, known });

  await store.revalidate(['t'], 60000);
  assert.equal(await verdict(), STALE);
  assert.equal((await store.check(['t'], known)).verdict, STALE);
  await store.revalidate(['u'], Infinity);
  assert.equal(await verdict(), STALE);

  await store.revalidate(['t'], 0);
  assert.equal(await verdict(), GONE);
  await store.put(entry({ epoch: store.known(), tags: ['t'] }));
  assert.equal(await verdict(), FRESH);
  await store.revalidate(['t']);
  assert.equal(await verdict(), GONE);
  assert.equal((await store.check(['t'], known)).verdict, GONE);
});

test('a get joins its own tags to the entry’s', async () => {
  const store = openMemory();
  await roundTrip(store, { tags: [] });
  await store.revalidate(['soft']);
  assert.equal((await store.get(KIND.PAGE, 'build', 'a key', null, 0)).verdict, FRESH);
  assert.equal((await store.get(KIND.PAGE, 'build', 'a key', undefined, 0)).verdict, FRESH);
  assert.equal((await store.get(KIND.PAGE, 'build', 'a key', ['other', 'soft'], 0)).verdict, GONE);
});

test('ifAbsent leaves what is there', async () => {
  const store = openMemory();
  assert.equal((await store.put(entry({ meta: 'first', ifAbsent: true }))).status, 0);
  assert.equal((await store.put(entry({ meta: 'second', ifAbsent: true }))).status, 1);
  assert.equal((await store.get(KIND.PAGE, 'build', 'a key', null, FLAG.ANY)).meta, 'first');
});

test('what is removed is a miss', async () => {
  const store = openMemory();
  await roundTrip(store, {});
  assert.deepEqual(await store.remove(KIND.PAGE, 'build', 'a key'), { status: 0 });
  assert.equal((await store.get(KIND.PAGE, 'build', 'a key', null, 0)).verdict, MISS);
});

test('changing a Buffer after its put has resolved changes nothing stored', async () => {
  const store = openMemory();
  const { known } = await store.epoch();
  const bytes = Buffer.alloc(20000, 'a');
  await store.put(entry({ epoch: known, parts: [bytes] }));
  bytes.fill('b');
  const got = await store.get(KIND.PAGE, 'build', 'a key', null, 0);
  assert.ok(got.parts[0].equals(Buffer.alloc(20000, 'a')));
});

test('writing into a Buffer that a get gave never changes what the next get gives', async () => {
  const store = openMemory([['compress', 'off']]);
  const got = await roundTrip(store, { parts: [Buffer.alloc(20000, 'a')] });
  got.parts[0].fill('b');
  const again = await store.get(KIND.PAGE, 'build', 'a key', null, 0);
  assert.ok(again.parts[0].equals(Buffer.alloc(20000, 'a')), 'each reader has bytes of its own');

  const without = openMemory([
    ['compress', 'off'],
    ['memory', '0'],
  ]);
  const first = await roundTrip(without, { parts: [Buffer.alloc(20000, 'a')] });
  first.parts[0].fill('b');
  const second = await without.get(KIND.PAGE, 'build', 'a key', null, 0);
  assert.equal(second.verdict, MISS, 'this driver gives the bytes it keeps: the checksum notices');
  assert.equal(without.stats().corrupt, 1);
});

test('entries at random come out as they went in', async (t) => {
  const seed = Number(process.env.TEST_SEED ?? Date.now() % 1e9);
  t.diagnostic(`TEST_SEED=${seed}`);
  let state = seed;
  // Numerical Recipes' generator: good enough to choose sizes and letters.
  const random = (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const alphabets = ['abc<>', 'aéÿ\x80', 'a漢字', '😀\ud800\udc00', '\0\uffff'];
  const size = () => [random(4), random(100), random(2000), random(20000), random(100000)][random(5)];
  const text = () => {
    const letters = alphabets[random(alphabets.length)];
    const piece = Array.from({ length: 1 + random(50) }, () => letters[random(letters.length)]).join('');
    return piece.repeat(Math.ceil(size() / piece.length));
  };
  const binary = () => Buffer.alloc(size(), text() || 'x');
  const store = openMemory([['compress', random(2) ? 'on' : 'off']]);
  const entries = Array.from({ length: 200 }, (_, i) => ({
    key: `${i} ${text()}`,
    tags: Array.from({ length: random(5) }, (_, n) => `${n} ${text()}`),
    meta: text(),
    modified: random(2 ** 31) * 1000,
    revalidate: [NaN, Infinity, random(1e9)][random(3)],
    parts: Array.from({ length: random(8) }, () => (random(2) ? text() : binary())),
  }));
  await Promise.all(
    entries.map(async (put) => {
      const got = await roundTrip(store, put);
      assert.ok(got.meta === put.meta);
      assert.equal(got.modified, put.modified);
      assert.equal(got.revalidate, put.revalidate);
      assert.deepEqual(got.parts, put.parts);
    }),
  );
});

test('a wrong argument is an answer, not an exception', async () => {
  const store = openMemory();
  assert.deepEqual(await store.get(KIND.PAGE, 'build', 5, null, 0), { verdict: INVALID, known: 0, detail: 'key is not a string' });
  assert.deepEqual(await store.get(KIND.PAGE, 'build', 'k', 'a', 0), { verdict: INVALID, known: 0, detail: 'tags is not an array' });
  assert.deepEqual(await store.get(KIND.PAGE, 'build', 'k', ['a', null], 0), { verdict: INVALID, known: 0, detail: 'tags is not a string' });
  assert.deepEqual(await store.remove(KIND.PAGE, undefined, 'k'), { status: INVALID, detail: 'build is not a string' });
  assert.deepEqual(await store.put(entry({ parts: [1] })), { status: INVALID, detail: 'a part is neither a string nor a Uint8Array' });
  assert.deepEqual(await store.put(entry({ parts: [new Uint16Array(2)] })), {
    status: INVALID,
    detail: 'a part is neither a string nor a Uint8Array',
  });
  assert.deepEqual(await store.put(entry({ parts: ['a'], names: [] })), { status: 0 });
  assert.deepEqual(await store.put(entry({ parts: ['a'], names: ['b', 'c'] })), { status: INVALID, detail: 'names is not as long as parts' });
  assert.equal((await store.get(99, 'build', 'k', null, 0)).verdict, INVALID);
  assert.ok(store.drain(1000));
});

test('a wrong configuration throws the core’s words', () => {
  assert.throws(() => native.open([['cash', 'memory:', 'larder.json']]), {
    message: "unknown setting 'cash' of the store (larder.json), did you mean 'cache'?",
    code: 'invalid',
  });
  assert.throws(() => native.open([['cache', 'no-such-driver:', 'larder.json']]), /no-such-driver/);
  assert.throws(() => native.open([['cache', 'mem\0ory:', 'larder.json']]), /NUL/);
});

test('the same settings are the same store, other settings another', async () => {
  const one = native.open(memorySettings('shared'));
  const two = native.open(memorySettings('shared'));
  const three = native.open(memorySettings('not-shared'));
  await one.put(entry({ meta: 'from one' }));
  assert.equal((await two.get(KIND.PAGE, 'build', 'a key', null, FLAG.ANY)).meta, 'from one');
  assert.equal((await three.get(KIND.PAGE, 'build', 'a key', null, FLAG.ANY)).verdict, MISS);
});

test('the store counts', async () => {
  const store = openMemory();
  await roundTrip(store, {});
  await store.get(KIND.PAGE, 'build', 'nothing', null, 0);
  // An answer may be here before the I/O thread has counted it out.
  assert.ok(store.drain(60000));
  const { gets, hits, misses, puts, inflight, epoch } = store.stats();
  assert.deepEqual({ gets, hits, misses, puts, inflight }, { gets: 2, hits: 1, misses: 1, puts: 1, inflight: 0 });
  assert.equal(epoch, store.known());
});

test('the store tells of its drivers, for people and for programs', async () => {
  const store = openMemory();
  await roundTrip(store, {});
  assert.ok(store.drain(60000));
  const { instances, memoryEntries } = store.stats();
  assert.equal(instances.length, 1);
  const [{ role, driver, breaker, ops }] = instances;
  assert.deepEqual({ role, driver, breaker }, { role: 'cache+tags', driver: 'memory', breaker: 'closed' });
  assert.equal(ops.put.calls, 1);
  assert.ok(ops.put.bytesSent > 0 && ops.put.p50Ms > 0 && ops.put.p50Ms <= ops.put.maxMs);
  assert.equal(ops.list, undefined);
  assert.equal(memoryEntries, 1);
  const counts = Object.entries(store.stats().requests).map(([name, { count }]) => [name, count]);
  assert.deepEqual(Object.fromEntries(counts), {
    'get-memory': 1,
    'get-store': 0,
    'get-nothing': 0,
    put: 1,
    revalidate: 0,
  });
  const { put } = store.stats().requests;
  assert.ok(put.sumMs > 0 && put.p50Ms > 0 && put.p50Ms <= put.p95Ms && put.p95Ms <= put.maxMs);

  const text = store.metrics(1, { app: 'a "shop"' });
  assert.match(text, /^larder_gets_total\{app="a \\"shop\\"",result="hit"\} 1$/m);
  const otlp = JSON.parse(store.metrics(2, {}));
  assert.ok(otlp.resourceMetrics[0].scopeMetrics[0].metrics.some(({ name }) => name === 'larder.gets'));
  assert.equal(store.metrics(3, {}), undefined);
});

test('drain tells whether all is answered', async () => {
  const store = openMemory();
  const put = store.put(entry({ parts: [Buffer.alloc(1000000)] }));
  assert.equal(store.drain(10000), true);
  assert.deepEqual(await put, { status: 0 });
});
