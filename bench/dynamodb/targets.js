'use strict';
// What was aimed at.

const KB = 1024;

/** @returns {{ target: string, value: string, met: boolean }[]} */
function targets({ tables, revalidate, cold }) {
  const row = (op, bytes, inflight, contender) => tables
    .find((t) => t.op === op && t.bytes === bytes && t.inflight === inflight).rows.find((r) => r.contender === contender);
  const rate = (ours, theirs) => row('get', KB, 32, ours).opsPerSecond / row('get', KB, 32, theirs).opsPerSecond;
  const main = (bytes, ours) => row('get', bytes, 32, ours).mainUs;
  const times = rate('larder, mark-age', 'SDK');
  const withMarks = rate('larder', 'SDK, with marks');
  const share = main(220 * KB, 'SDK') / main(220 * KB, 'larder, mark-age');
  const most = Math.max(...revalidate.map((r) => r.sequential));
  const first = cold.larderMs - cold.bareMs;
  return [
    { target: 'get of 1 KB, 32 in flight, one GetItem each: at least 8 times the SDK', value: `${times.toFixed(1)}x`, met: times >= 8 },
    { target: 'the same, each with the marks of its tags', value: `${withMarks.toFixed(1)}x`, met: withMarks >= 8 },
    {
      target: 'main thread, get of 1 KB, 32 in flight: at most 5 us', value: `${main(KB, 'larder, mark-age').toFixed(2)} us`,
      met: main(KB, 'larder, mark-age') <= 5,
    },
    { target: 'main thread, get of 220 KB, 32 in flight: at most 1/50 of the SDK', value: `1/${share.toFixed(0)}`, met: share >= 50 },
    {
      target: 'revalidateTag, however many entries: at most 4 round trips',
      value: revalidate.map((r) => `${r.sequential} for ${r.entries.toLocaleString('en-US')}`).join(', '), met: most <= 4,
    },
    { target: 'first answer: at most 20 ms over bare node', value: `${first.toFixed(1)} ms`, met: first <= 20 },
  ];
}

module.exports = { targets };
