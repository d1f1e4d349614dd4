'use strict';
/* What script/drill and script/soak make of what they saw: that they would see it. */
const test = require('node:test');
const assert = require('node:assert/strict');
const { checks: flat } = require('../../bench/soak/flat.js');
const { checks: drill } = require('../next/drill/summary.js');
const { cycle, phaseAt } = require('../next/drill/plan.js');

const failing = (list) => list.filter((check) => !check.ok).map((check) => check.name);

/** A run of 20 minutes whose memory goes up and down by 40 MB, and rises by so much an hour. */
function soaked(mbPerHour, rest = () => ({})) {
  const at = (t) => 400 + 40 * Math.sin(t / 7) + (mbPerHour * t) / 3600;
  const samples = Array.from({ length: 1200 }, (_, t) => ({ t, rss: at(t), private: at(t), operations: 1e6 }));
  const rests = Array.from({ length: 20 }, (_, i) => {
    const all = { t: i * 60, rss: 400, private: 400, descriptors: 30, threads: 14, timers: 2, externals: 0, journal: 0 };
    return { ...all, ...rest(i) };
  });
  return failing(flat(samples, rests, false).checks);
}

test('soak: memory that only goes up and down is flat', () => {
  assert.deepEqual(soaked(0), []);
});

test('soak: memory that rises is seen', () => {
  assert.deepEqual(soaked(200), ['resident memory does not grow', 'private memory does not grow']);
});

test('soak: a descriptor more at each rest is seen, one that is opened late is not', () => {
  assert.deepEqual(soaked(0, (i) => ({ descriptors: 30 + i })), ['descriptors at rest']);
  assert.deepEqual(soaked(0, (i) => ({ descriptors: i < 10 ? 30 : 31 })), []);
});

test('soak: what is left over at a rest is seen', () => {
  assert.equal(soaked(0, (i) => ({ externals: i === 7 ? 1 : 0 })).length, 1);
});

const answer = { at: 1, server: 0, url: '/', reads: 2, status: 200, cache: 'HIT', ms: 5 };
const well = { at: 2, ms: [10, 10], wrong: [] };

function drilled(more, change = {}) {
  const records = [...Array.from({ length: 200 }, () => answer), ...more];
  const probes = [{ ...answer, ms: 50 }];
  const deadlines = { readMs: 500, writeMs: 2000 };
  return failing(drill({ records, probes, revalidations: [], wrong: [], recoveries: [well], deadlines, hangMs: 0, ...change }));
}

test('drill: nothing is found where nothing is wrong', () => {
  assert.deepEqual(drilled([]), []);
  assert.deepEqual(drilled([{ ...answer, ms: 4100 }]), [], 'two reads, a write, three renders, and some');
});

test('drill: a 500, a request that fails, one that takes too long, and one that never recovers are found', () => {
  assert.equal(drilled([{ ...answer, status: 500 }]).length, 1);
  assert.equal(drilled([{ ...answer, status: 0, error: 'no answer' }]).length, 1);
  assert.equal(drilled([{ ...answer, ms: 4200 }]).length, 1);
  assert.equal(drilled([], { recoveries: [{ ...well, ms: [10, Infinity] }] }).length, 1);
  assert.equal(drilled([], { recoveries: [{ ...well, wrong: ['/: MISS'] }] }).length, 1);
  assert.equal(drilled([], { recoveries: [] }).length, 1, 'nothing was tried');
});

test('drill: every fault has its time in each cycle, and quiet follows', () => {
  const plan = cycle({ lead: 2, on: 1.5, gap: 0.5 });
  for (const round of [0, 1])
    for (const phase of plan.phases) assert.equal(phaseAt(plan, round * plan.seconds + phase.from + 1).name, phase.name);
  assert.equal(phaseAt(plan, plan.quietFrom), undefined);
  assert.equal(phaseAt(plan, 2 * plan.seconds - 1), undefined);
  assert.match(plan.setting, /any:drop~1500ms\/46500ms\+4000ms/);
});
