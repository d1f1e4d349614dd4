'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { Notes, MAX_RENDER_MS } = require('../lib/notes.js');

function clock() {
  const c = { now: 0 };
  return { c, notes: new Notes(() => c.now) };
}

test('a set takes the epoch of its get', () => {
  const { notes } = clock();
  notes.add('k', 7, 1000);
  assert.deepEqual(notes.take('k'), { epoch: 7, time: 1000 });
  assert.equal(notes.take('k'), undefined);
});

test('with two gets under way a set takes the smallest epoch and removes the largest', () => {
  const { notes } = clock();
  notes.add('k', 7, 1);
  notes.add('k', 9, 2);
  assert.equal(notes.take('k').epoch, 7);
  assert.equal(notes.take('k').epoch, 7, 'the smaller one is still there for the other rendering');
  assert.equal(notes.take('k'), undefined);
});

test('no order of sets stores more than the smallest epoch under way', () => {
  const { notes } = clock();
  for (const epoch of [9, 7, 8]) notes.add('k', epoch, epoch);
  assert.deepEqual(
    [1, 2, 3].map(() => notes.take('k').epoch),
    [7, 7, 7],
  );
});

test('the time of an entry is the latest get, not the oldest', () => {
  const { notes } = clock();
  notes.add('k', 7, 1000);
  notes.add('k', 7, 5000);
  assert.equal(notes.take('k').time, 5000);
});

test('a note older than the longest rendering is dropped', () => {
  const { c, notes } = clock();
  notes.add('k', 7, 1);
  c.now = MAX_RENDER_MS + 1;
  assert.equal(notes.take('k'), undefined);
});

test('an old note does not hold back a younger one', () => {
  const { c, notes } = clock();
  notes.add('k', 3, 1);
  c.now = MAX_RENDER_MS + 1;
  notes.add('k', 9, 2);
  assert.equal(notes.take('k').epoch, 9);
});

test('keys do not mix', () => {
  const { notes } = clock();
  notes.add('a', 1, 1);
  notes.add('b', 2, 2);
  assert.equal(notes.take('b').epoch, 2);
  assert.equal(notes.take('a').epoch, 1);
});

test('the one note of an image replaces what its hits left', () => {
  const { notes } = clock();
  notes.add('k', 1, 1, true);
  notes.add('k', 5, 2, true);
  assert.equal(notes.take('k').epoch, 5);
  assert.equal(notes.take('k'), undefined);
});

test('what was never set is swept away', () => {
  const { c, notes } = clock();
  for (let i = 0; i < 1000; i++) notes.add(`old ${i}`, 1, 1);
  c.now = MAX_RENDER_MS + 1;
  for (let i = 0; i < 100; i++) notes.add(`new ${i}`, 1, 1);
  assert.ok(notes.map.size <= 101, String(notes.map.size));
});
