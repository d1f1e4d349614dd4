'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { FakeStore, Table, fakeNative, KIND } = require('./fake-native.js');
const { state, reset, SYMBOL } = require('../lib/state.js');
const { useCache } = require('../lib/use-cache-handler.js');

/** The performance clock, stepped by hand: the epoch of an entry is told by it. */
let clock = 1000;

function setup(t, table) {
  if (!performance.now.mock) t.mock.method(performance, 'now', () => clock);
  reset();
  delete process.env.NEXT_PHASE;
  const store = new FakeStore({ table });
  state().native = fakeNative(store);
  t.after(reset);
  return store;
}

const now = () => performance.timeOrigin + performance.now();

/** From what a get learned to the rendering. */
function settle() {
  clock += 1;
}

function entry(text, options = {}) {
  const chunks = Array.isArray(text) ? text : [text];
  return {
    value: new ReadableStream({
      start(controller) {
        for (const chunk of chunks)
          controller.enqueue(typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk);
        controller.close();
      },
    }),
    tags: ['t'],
    stale: 30,
    timestamp: now(),
    expire: 3600,
    revalidate: 60,
    ...options,
  };
}

async function text(got) {
  const chunks = [];
  for await (const chunk of got.value) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function render(key, text, options) {
  await useCache.get(key, []);
  settle();
  await useCache.set(key, Promise.resolve(entry(text, options)));
}

test('what was set comes back, with a stream of its own each time', async (t) => {
  setup(t);
  assert.equal(await useCache.get('k', []), undefined);
  settle();
  const timestamp = now();
  await useCache.set('k', Promise.resolve(entry(['a', 'b', 'c'], { timestamp })));
  for (let i = 0; i < 2; i++) {
    const got = await useCache.get('k', []);
    assert.equal(await text(got), 'abc');
    const { value, ...rest } = got;
    assert.deepEqual(rest, { tags: ['t'], stale: 30, timestamp, expire: 3600, revalidate: 60 });
  }
});

test('an empty value, and 300 KB of any bytes', async (t) => {
  setup(t);
  await render('empty', []);
  assert.equal(await text(await useCache.get('empty', [])), '');
  const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 31) & 255);
  await render('big', [bytes.subarray(0, 1000), bytes.subarray(1000)]);
  const chunks = [];
  for await (const chunk of (await useCache.get('big', [])).value) chunks.push(chunk);
  assert.ok(Buffer.concat(chunks).equals(Buffer.from(bytes)));
});

test('keys of any bytes and length', async (t) => {
  const store = setup(t);
  const key = `["id",["é漢\u0000\ud800"]]\r\n--boundary${'x'.repeat(5000)}`;
  await render(key, 'v');
  assert.equal(await text(await useCache.get(key, [])), 'v');
  assert.equal(store.calls.find(([m]) => m === 'put')[1].key, key);
  assert.equal(store.calls.find(([m]) => m === 'put')[1].kind, KIND.USE_CACHE);
});

test('"for ever" in both spellings', async (t) => {
  const store = setup(t);
  for (const expire of [Infinity, 4294967294]) {
    await render(`k${expire}`, 'v', { expire, revalidate: expire });
    assert.equal(store.calls.at(-1)[1].expire, Infinity);
    const got = await useCache.get(`k${expire}`, []);
    assert.equal(got.expire, 4294967294);
    assert.equal(got.revalidate, 4294967294);
  }
});

test('tags and soft tags of a revalidation', async (t) => {
  setup(t);
  await render('k', 'v');
  assert.notEqual(await useCache.get('k', ['_N_T_/x']), undefined);
  await useCache.updateTags(['_N_T_/x']);
  assert.equal(await useCache.get('k', ['_N_T_/x']), undefined);
  assert.notEqual(await useCache.get('k', ['_N_T_/y']), undefined);
  await useCache.updateTags(['t']);
  assert.equal(await useCache.get('k', []), undefined);
  assert.equal(await useCache.getExpiration(['t']), Infinity);
});

test('15: expireTags with a list of arguments', async (t) => {
  const store = setup(t);
  await useCache.expireTags('a', 'b');
  assert.deepEqual(store.calls.at(-1), ['revalidate', ['a', 'b'], undefined]);
  await useCache.receiveExpiredTags('a');
  await useCache.refreshTags();
});

test('a stale entry is due at once', async (t) => {
  setup(t);
  await render('k', 'v');
  await useCache.updateTags(['t'], { expire: 3600 });
  const got = await useCache.get('k', []);
  assert.equal(got.revalidate, -1);
  assert.equal(await text(got), 'v');
});

test('a rendering that began before a revalidation is useless after it', async (t) => {
  setup(t);
  await useCache.get('k', []);
  settle();
  const began = entry('old');
  await useCache.updateTags(['t']);
  await useCache.set('k', Promise.resolve(began));
  assert.equal(await useCache.get('k', []), undefined);
  settle();
  await useCache.set('k', Promise.resolve(entry('new')));
  assert.equal(await text(await useCache.get('k', [])), 'new');
});

test('a timestamp from before this process knew anything is epoch 0', async (t) => {
  const store = setup(t);
  await useCache.get('k', []);
  await useCache.set('k', Promise.resolve(entry('v', { timestamp: now() - 60_000 })));
  assert.equal(store.calls.at(-1)[1].epoch, 0);
  await useCache.set('k', Promise.resolve(entry('v', { timestamp: NaN })));
  assert.equal(store.calls.at(-1)[1].epoch, 0);
});

test('a get during a set waits for it', async (t) => {
  setup(t);
  let give;
  const pending = new Promise((resolve) => (give = resolve));
  await useCache.get('k', []);
  settle();
  const set = useCache.set('k', pending);
  let answered = false;
  const get = useCache.get('k', []).then((got) => ((answered = true), got));
  for (let i = 0; i < 20; i++) await null;
  assert.equal(answered, false);
  give(entry('v'));
  assert.equal(await text(await get), 'v');
  await set;
});

test('but not for ever', async (t) => {
  setup(t);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  useCache.set('k', new Promise(() => {}));
  const get = useCache.get('k', []);
  await null;
  t.mock.timers.tick(30_000);
  assert.equal(await get, undefined);
});

test('a rendering that fails, at once or half-way, stores nothing and throws nothing', async (t) => {
  const store = setup(t);
  await useCache.set('a', Promise.reject(new Error('failed')));
  await useCache.set(
    'b',
    Promise.resolve(
      entry('x', {
        value: new ReadableStream({
          pull(controller) {
            controller.error(new Error('half-way'));
          },
        }),
      }),
    ),
  );
  assert.ok(!store.calls.some(([m]) => m === 'put'));
  assert.equal(await useCache.get('a', []), undefined);
});

test('a value without end is not collected without end', async (t) => {
  const store = setup(t);
  let cancelled = false;
  const chunk = new Uint8Array(8 * 1024 * 1024);
  const value = new ReadableStream({
    pull(controller) {
      controller.enqueue(chunk);
    },
    cancel() {
      cancelled = true;
    },
  });
  await useCache.set('k', Promise.resolve(entry('', { value })));
  assert.ok(cancelled);
  assert.ok(!store.calls.some(([m]) => m === 'put'));
});

test('nothing of a set is kept after it', async (t) => {
  setup(t);
  await render('k', 'v');
  assert.equal(state().perDir.get('use-cache').size, 0);
});

test('two processes', async (t) => {
  const table = new Table();
  setup(t, table);
  await render('k', 'v');
  const a = globalThis[SYMBOL];
  setup(t, table);
  assert.equal(await text(await useCache.get('k', [])), 'v');
  await useCache.updateTags(['t']);
  globalThis[SYMBOL] = a;
  assert.equal(await useCache.get('k', []), undefined);
});

test('no store, a failing store, a broken store: misses', async (t) => {
  const store = setup(t);
  t.mock.method(console, 'warn', () => {});
  store.failing = { status: -1, detail: 'down' };
  assert.equal(await useCache.get('k', []), undefined);
  await useCache.set('k', Promise.resolve(entry('v')));
  store.get = () => {
    throw new Error('broken');
  };
  assert.equal(await useCache.get('k', []), undefined);
  reset();
  state().native = { load: () => null };
  assert.equal(await useCache.get('k', []), undefined);
  await useCache.set('k', Promise.resolve(entry('v')));
  await useCache.updateTags(['t']);
});
