'use strict';
// What was aimed at.

const KB = 1024;

/** @returns {{ target: string, value: string, met: boolean }[]} */
function targets({ programs, clients }) {
  const row = (tables, op, bytes, inflight, contender) => tables
    .find((t) => t.op === op && t.bytes === bytes && t.inflight === inflight).rows.find((r) => r.contender === contender);
  const inC = (bytes) => row(programs, 'get', bytes, 32, 'larder, driver').opsPerSecond /
    row(programs, 'get', bytes, 32, 'libmemcached, text').opsPerSecond;
  const inNode = (bytes) => row(clients, 'get', bytes, 32, 'larder, mark-age').opsPerSecond / row(clients, 'get', bytes, 32, 'memjs').opsPerSecond;
  const share = (bytes) => row(clients, 'get', bytes, 32, 'memjs').mainUs / row(clients, 'get', bytes, 32, 'larder, mark-age').mainUs;
  const atLeast = (target, value, least) => ({ target, value: `${value.toFixed(value < 10 ? 2 : 0)}x`, met: value >= least });
  return [
    atLeast('the driver in C, get of 4 KB, 32 in flight: at least 0.8 times libmemcached on as many threads', inC(4 * KB), 0.8),
    atLeast('the same, 300 KB', inC(300 * KB), 0.8),
    atLeast('through Node.js, get of 4 KB, 32 in flight: at least as many as memjs', inNode(4 * KB), 1),
    atLeast('the same, 300 KB: at least twice as many', inNode(300 * KB), 2),
    atLeast('main thread, get of 4 KB, 32 in flight: memjs takes at least 3 times as long', share(4 * KB), 3),
    atLeast('the same, 300 KB: at least 10 times', share(300 * KB), 10),
  ];
}

module.exports = { targets };
