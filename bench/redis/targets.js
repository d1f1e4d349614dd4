'use strict';
// What was aimed at.

const KB = 1024;

/** Gets per second of a page of 260 KB by OpenNext's multi-tier cache, on a machine like that of the first results. */
const MULTI_TIER = 878;

const times = (x) => `${x.toFixed(2)}x`;
const us = (x) => `${x.toFixed(2)} us`;

/** @returns {{ target: string, value: string, met: boolean }[]} */
function targets({ programs, clients, handlers, revalidate }) {
  const of = (tables, what, contender) => tables
    .find((t) => Object.entries(what).every(([name, value]) => t[name] === value)).rows.find((r) => r.contender === contender);
  const inC = (bytes, contender) => of(programs, { op: 'get', bytes, inflight: 16, transport: 'unix' }, contender).opsPerSecond;
  const core = (bytes) => inC(bytes, 'larder, driver') / inC(bytes, 'redis-benchmark -P 16');
  const inNode = (op, bytes, contender) => of(clients, { op, bytes, inflight: 32 }, contender);
  const beside = (op, bytes, theirs) => inNode(op, bytes, 'larder, mark-age').opsPerSecond / inNode(op, bytes, theirs).opsPerSecond;
  const small = inNode('get', 4 * KB, 'larder, mark-age').mainUs;
  const large = inNode('text', 300 * KB, 'larder, mark-age').mainUs;
  const page = (inflight) => {
    const { rows } = handlers.find((t) => t.op === 'get' && t.kind === 'APP_PAGE' && t.inflight === inflight);
    const rate = (test) => Math.max(...rows.filter((r) => test(r.contender)).map((r) => r.opsPerSecond));
    return rate((name) => name === 'larder') / rate((name) => !name.startsWith('larder')); // each with its defaults
  };
  const kept = handlers.find((t) => t.op === 'get' && t.kind === 'APP_PAGE' && t.inflight === 32).rows.find((r) => r.contender === 'larder').opsPerSecond;
  const [few, many] = revalidate;
  const ours = (rows) => rows.find((r) => r.contender === 'larder').ms;
  const usPerEntry = ((ours(many.rows) - ours(few.rows)) * 1e3) / (many.entries - few.entries);
  const [one, all] = [page(1), page(32)];
  const met = (target, value, reached) => ({ target, value, met: reached });
  return [
    met('C, get of 4 KB: at least redis-benchmark -P 16', times(core(4 * KB)), core(4 * KB) >= 1),
    met('C, get of 300 KB: at least 1.5 times redis-benchmark -P 16', times(core(300 * KB)), core(300 * KB) >= 1.5),
    met('Node.js, get of 4 KB, 32 in flight: at least 2 times ioredis', times(beside('get', 4 * KB, 'ioredis')), beside('get', 4 * KB, 'ioredis') >= 2),
    met('the same: at least 1.4 times ioredis, auto-pipelined', times(beside('get', 4 * KB, 'ioredis, auto-pipelined')),
      beside('get', 4 * KB, 'ioredis, auto-pipelined') >= 1.4),
    met('the same, main thread: at most 2.5 us', us(small), small <= 2.5),
    met('Node.js, strings of 300 KB, 32 in flight: at least 4 times ioredis', times(beside('text', 300 * KB, 'ioredis')),
      beside('text', 300 * KB, 'ioredis') >= 4),
    met('the same, main thread: at most 25 us', us(large), large <= 25),
    met('cacheHandler.get of a page: at least 5 times the best of the other handlers', `${times(one)} with 1 in flight, ${times(all)} with 32`,
      Math.min(one, all) >= 5),
    met(`a page from memory, its marks looked at in Redis: at least ${(5 * MULTI_TIER).toLocaleString('en-US')} a second, 5 times OpenNext's multi-tier`,
      Math.round(kept).toLocaleString('en-US'), kept >= 5 * MULTI_TIER),
    // A single call is at the mercy of the scheduler; looking at an entry, whoever does it, takes more than 1 us.
    met('revalidateTag: independent of the number of entries',
      revalidate.map(({ entries, rows }) => `${ours(rows).toFixed(2)} ms with ${entries.toLocaleString('en-US')}`).join(', '), usPerEntry < 1),
  ];
}

module.exports = { targets };
