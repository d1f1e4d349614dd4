'use strict';
/* What JavaScript answers by itself: when, to whom, and for how long. */
const test = require('node:test');
const assert = require('node:assert/strict');
const v8 = require('node:v8');
const vm = require('node:vm');
const { Memory, RECORD_BYTES, MOST_MS } = require('../lib/kept.js');

v8.setFlagsFromString('--expose-gc');
const collect = vm.runInNewContext('gc');

const AGE = 1000;
const START = 5000;

/** A memory, its clock and its cell; the time of day is START at the beginning. */
function setup(t, { bytes = 1 << 20, ms = AGE } = {}) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: START });
  const world = { now: 0, changes: 0, counted: [] };
  world.memory = new Memory({
    bytes,
    ms,
    share: false,
    changes: () => world.changes,
    count: (n) => world.counted.push(n),
    now: () => world.now,
  });
  world.pass = (passed) => {
    world.now += passed;
    t.mock.timers.tick(passed);
  };
  return world;
}

const got = (more) => ({
  verdict: 1,
  known: 7,
  epoch: 5,
  modified: START,
  revalidate: Infinity,
  expire: NaN,
  trusted: AGE,
  bytes: 100,
  meta: '{}',
  parts: [],
  ...more,
});

function keep(world, key, more, { kind = 1, build = 'b', tags = [], token = world.memory.token() } = {}) {
  return world.memory.keep(kind, build, key, tags, token, got(more), { key });
}
const find = (world, key, { kind = 1, build = 'b', tags = [] } = {}) => world.memory.find(kind, build, key, tags)?.value;

test('an answer is given again, to each its own, with what was known then', (t) => {
  const world = setup(t);
  const first = keep(world, 'k');
  const { value, got } = world.memory.find(1, 'b', 'k', []);
  assert.deepEqual([first, value], [{ key: 'k' }, { key: 'k' }]);
  assert.ok(first !== value && find(world, 'k') !== value);
  assert.deepEqual(got, { verdict: 1, known: 7, epoch: 5, modified: START, revalidate: Infinity, expire: NaN });
  assert.equal(find(world, 'other'), undefined);
});

test('P1: not when trust in its marks has ended', (t) => {
  const world = setup(t);
  keep(world, 'k', { trusted: 600 });
  world.pass(599);
  assert.ok(find(world, 'k'));
  world.pass(1);
  assert.equal(find(world, 'k'), undefined);
});

test('not once it is due, by the time of day', (t) => {
  const world = setup(t);
  keep(world, 'k', { revalidate: 300 });
  world.pass(299);
  assert.ok(find(world, 'k'));
  world.pass(1);
  assert.equal(find(world, 'k'), undefined);
});

test('an entry without revalidate is never due', (t) => {
  const world = setup(t);
  keep(world, 'k', { revalidate: NaN });
  assert.ok(find(world, 'k'));
});

test('P1: nothing that was kept outlives a revalidation of this process', (t) => {
  const world = setup(t);
  keep(world, 'k');
  world.changes++;
  assert.equal(find(world, 'k'), undefined);
  world.changes--;
  assert.equal(find(world, 'k'), undefined, 'it is gone, not hidden');
});

test('P1: a get that was sent before a revalidation ended brings nothing that is kept', (t) => {
  const world = setup(t);
  const token = world.memory.token();
  world.changes++;
  assert.deepEqual(keep(world, 'k', {}, { token }), { key: 'k' });
  assert.equal(find(world, 'k'), undefined);
});

test('a put or a remove of the key forgets it, and no other', (t) => {
  const world = setup(t);
  keep(world, 'k');
  keep(world, 'other');
  world.memory.wrote('k');
  assert.equal(find(world, 'k'), undefined);
  assert.ok(find(world, 'other'));
});

test('a get that was sent before a put of this environment brings nothing that is kept', (t) => {
  const world = setup(t);
  const token = world.memory.token();
  world.memory.wrote('k');
  keep(world, 'k', {}, { token });
  assert.equal(find(world, 'k'), undefined);
});

test('only what is fresh and trusted is kept', (t) => {
  const world = setup(t);
  for (const more of [{ verdict: 2 }, { verdict: 4 }, { trusted: 0 }, { trusted: undefined }]) {
    assert.deepEqual(keep(world, 'k', more), { key: 'k' }, 'the caller has it all the same');
    assert.equal(find(world, 'k'), undefined, JSON.stringify(more));
  }
});

test('P1: a request with a tag that was not judged asks', (t) => {
  const world = setup(t);
  keep(world, 'k', {}, { tags: ['a', 'b'] });
  assert.ok(find(world, 'k', { tags: ['b'] }));
  assert.ok(find(world, 'k', { tags: ['b', 'a'] }));
  assert.equal(find(world, 'k', { tags: ['a', 'c'] }), undefined);
});

test('the same entry asked for with other tags is kept for both, while both are trusted', (t) => {
  const world = setup(t);
  keep(world, 'k', { trusted: 600 }, { tags: ['a'] });
  world.pass(500);
  keep(world, 'k', { trusted: 1500 }, { tags: ['b'] });
  assert.ok(find(world, 'k', { tags: ['a', 'b'] }));
  world.pass(100);
  assert.equal(find(world, 'k', { tags: ['b'] }), undefined, 'of the two, the earlier end');
});

test('what is out of trust is not joined', (t) => {
  const world = setup(t);
  keep(world, 'k', { trusted: 600 }, { tags: ['a'] });
  world.pass(700);
  keep(world, 'k', { trusted: 1500 }, { tags: ['b'] });
  assert.ok(find(world, 'k', { tags: ['b'] }));
  assert.equal(find(world, 'k', { tags: ['a'] }), undefined);
});

test('another entry has the tags of its own get alone', (t) => {
  const world = setup(t);
  keep(world, 'k', {}, { tags: ['a'] });
  keep(world, 'k', { epoch: 6 }, { tags: ['b'] });
  assert.equal(find(world, 'k', { tags: ['a'] }), undefined);
  assert.ok(find(world, 'k', { tags: ['b'] }));
});

test('tags do not pile up', (t) => {
  const world = setup(t);
  for (let i = 0; i < 300; i++) keep(world, 'k', {}, { tags: [`tag ${i}`] });
  assert.equal(find(world, 'k', { tags: ['tag 0'] }), undefined);
  assert.ok(find(world, 'k', { tags: ['tag 299'] }));
});

test('kinds and builds do not meet', (t) => {
  const world = setup(t);
  keep(world, 'k');
  assert.equal(find(world, 'k', { kind: 2 }), undefined);
  assert.equal(find(world, 'k', { build: 'c' }), undefined);
});

test('it is bounded in bytes: what is old goes first', (t) => {
  const size = 1000 + RECORD_BYTES + 2;
  const world = setup(t, { bytes: 4 * size });
  for (let i = 10; i < 20; i++) keep(world, `${i}`, { bytes: 1000 });
  const there = Array.from({ length: 10 }, (_, i) => `${i + 10}`).filter((key) => find(world, key));
  assert.deepEqual(there, ['16', '17', '18', '19']);
});

test('what is larger than half of all is not kept, and drives nothing out', (t) => {
  const world = setup(t, { bytes: 10_000 });
  keep(world, 'small');
  keep(world, 'large', { bytes: 5000 });
  assert.equal(find(world, 'large'), undefined);
  assert.ok(find(world, 'small'));
});

/** What is kept, as the garbage collector sees it: a list of truth values. */
function watched(world) {
  const refs = [];
  return {
    keep(key, more) {
      const value = { key };
      refs.push(new WeakRef(value));
      world.memory.keep(1, 'b', key, [], world.memory.token(), got(more), value);
    },
    async alive() {
      await new Promise(setImmediate); // a WeakRef holds until the turn ends
      collect();
      return refs.map((ref) => ref.deref() !== undefined);
    },
  };
}

test('memory is let go when trust has ended, also where no request comes', async (t) => {
  const world = setup(t);
  const { keep, alive } = watched(world);
  keep('first', { trusted: AGE });
  world.pass(AGE);
  keep('second', { trusted: 2 * AGE });
  world.pass(AGE);
  assert.deepEqual(await alive(), [false, true]);
  world.pass(AGE);
  assert.deepEqual(await alive(), [false, false]);
});

test('memory is let go when others need the room, and when a revalidation has ended', async (t) => {
  const world = setup(t, { bytes: 8000 });
  const { keep, alive } = watched(world);
  for (const key of ['first', 'second', 'third']) keep(key, { bytes: 1500 });
  assert.deepEqual(await alive(), [false, true, true]);
  world.changes++;
  find(world, 'third');
  assert.deepEqual(await alive(), [false, false, false]);
});

test('however long marks are trusted, the core is asked again after a while', (t) => {
  const world = setup(t, { ms: 3_600_000 });
  keep(world, 'k', { trusted: 3_600_000 });
  world.pass(MOST_MS - 1);
  assert.ok(find(world, 'k'));
  world.pass(1);
  assert.equal(find(world, 'k'), undefined);
});

test('the core is told of hits, when it is asked and when a while has passed', (t) => {
  const world = setup(t);
  keep(world, 'k');
  find(world, 'k');
  find(world, 'k');
  find(world, 'no');
  world.memory.tell();
  world.memory.tell();
  assert.deepEqual(world.counted, [2]);
  find(world, 'k');
  world.pass(2 * AGE);
  assert.deepEqual(world.counted, [2, 1]);
});
