'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { state, reset } = require('../lib/state.js');
const { stats, metrics } = require('../lib/metrics.js');

test('without a store there is nothing to tell', (t) => {
  reset();
  t.after(reset);
  assert.equal(stats(), null);
  assert.equal(metrics(), '');
  state().store = null; // it could not be opened
  assert.equal(stats(), null);
  assert.equal(metrics('otlp'), '');
});

test('the store that the handlers opened is asked', (t) => {
  reset();
  t.after(reset);
  const asked = [];
  state().store = /** @type {any} */ ({
    stats: () => ({ gets: 1 }),
    metrics: (...args) => (asked.push(args), 'text'),
  });
  assert.deepEqual(stats(), { gets: 1 });
  assert.equal(metrics(), 'text');
  metrics('otlp', { pid: 7 });
  assert.deepEqual(asked, [
    [1, {}],
    [2, { pid: '7' }],
  ]);
});

test('another format is refused by name', () => {
  assert.throws(() => metrics(/** @type {any} */ ('xml')), /no format 'xml'.*prometheus, otlp/);
});
