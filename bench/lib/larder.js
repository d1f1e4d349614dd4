'use strict';
// The addon, as a client of a store among other clients.

const path = require('node:path');

/**
 * Without memory of its own, and entries as they are, or it would not move the bytes that the others move.
 * Deadlines are those of a benchmark: a late answer is to be seen in p99, not as a miss.
 * @param {Record<string, string>} settings  besides, or instead
 */
function larderStore(url, settings = {}) {
  const { open, load, KIND } = require(path.join(__dirname, '../../bindings/node/lib/native.js'));
  if (!load()) throw new Error('the addon does not load');
  const all = { cache: url, memory: '0', compress: 'off', 'get-deadline': '10s', 'write-deadline': '10s', ...settings };
  return { store: open(Object.entries(all).map(([name, value]) => [name, value, 'the benchmark'])), KIND };
}

module.exports = { larderStore };
