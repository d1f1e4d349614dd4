'use strict';
// What was aimed at.  Rates and CPU are those with 32 in flight on the stub.

const { KB } = require('./contenders.js');

/** @returns {{ target: string, value: string, met: boolean }[]} */
function targets({ tables, cold }) {
  const row = (bytes, inflight, contender) => tables
    .find((t) => t.server === 'stub' && t.op === 'get' && t.bytes === bytes && t.inflight === inflight)
    .rows.find((r) => r.contender === contender);
  const times = (bytes, inflight) => row(bytes, inflight, 'larder').opsPerSecond / row(bytes, inflight, 'SDK').opsPerSecond;
  const atLeast = (target, bytes, least) => ({
    target, value: `${times(bytes, 32).toFixed(1)}x (1 in flight: ${times(bytes, 1).toFixed(1)}x)`, met: times(bytes, 32) >= least,
  });
  const { mainUs } = row(300 * KB, 32, 'larder');
  const first = cold.larderMs - cold.bareMs;
  return [
    atLeast('get of 4 KB, 32 in flight: at least 8 times the SDK', 4 * KB, 8),
    atLeast('get of 300 KB, 32 in flight: at least 4 times the SDK', 300 * KB, 4),
    atLeast('the same, the ambition: 5 times', 300 * KB, 5),
    { target: 'main thread, get of 300 KB, 32 in flight: at most 25 us', value: `${mainUs.toFixed(1)} us`, met: mainUs <= 25 },
    { target: 'first answer: at most 20 ms over bare node', value: `${first.toFixed(1)} ms`, met: first <= 20 },
  ];
}

module.exports = { targets };
