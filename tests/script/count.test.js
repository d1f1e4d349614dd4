'use strict';
// script/lib/count.awk: what script/test says in its last line is what these tests watch.

const { test } = require('node:test');
const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const path = require('node:path');

const program = path.join(__dirname, '../../script/lib/count.awk');

function raw(log) {
  const { status, stdout, stderr } = spawnSync('awk', ['-f', program], { input: log, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout;
}

function count(log) {
  const [numbers, ...lines] = raw(log).trimEnd().split('\n');
  const names = lines.map((line) => line.replace(/^\d+ /, ''));
  const [passed, failed, skipped] = numbers.split(' ').map(Number);
  return { passed, failed, skipped, names };
}

const cunit = (total, ran, passed, failed) => `
Run Summary:    Type  Total    Ran Passed Failed Inactive
              suites      1      1    n/a      0        0
               tests     ${total}     ${ran}     ${passed}      ${failed}        0
             asserts    181    181    181      0      n/a
`;

const prefixed = (number, text) => text.split('\n').map((line) => `${number}: ${line}`).join('\n');

test('an empty log counts nothing', () => {
  assert.deepEqual(count(''), { passed: 0, failed: 0, skipped: 0, names: [] });
});

test('tests of CUnit are counted, its suites and assertions are not', () => {
  const { passed, failed, skipped } = count(cunit(12, 12, 11, 1));
  assert.deepEqual([passed, failed, skipped], [11, 1, 0]);
});

test('a test of CUnit that did not run counts as skipped', () => {
  assert.equal(count(cunit(12, 10, 10, 0)).skipped, 2);
});

test('a ctest test with a summary of its own counts by it, another as one', () => {
  const log = `${prefixed(1, cunit(5, 5, 5, 0))}
1/2 Test #1: unit.frame .......................   Passed    0.01 sec
2/2 Test #2: abi.layout .......................   Passed    0.01 sec
`;
  assert.deepEqual(count(log), { passed: 6, failed: 0, skipped: 0, names: [] });
});

test('tests of ctest that ran at the same time keep their lines apart', () => {
  const log = `1: begins
2: begins
${prefixed(2, cunit(3, 3, 3, 0))}
1/2 Test #2: unit.b ...........................   Passed    0.01 sec
1: 4 passed, 0 failed
2/2 Test #1: unit.a ...........................   Passed    0.01 sec
`;
  assert.equal(count(log).passed, 7);
});

test('a test that dies after a good summary has failed', () => {
  const log = `${prefixed(7, cunit(5, 5, 5, 0))}
7: ERROR: LeakSanitizer: detected memory leaks
1/1 Test #7: unit.frame .......................***Failed    0.01 sec
`;
  assert.deepEqual(count(log), { passed: 5, failed: 1, skipped: 0, names: ['unit.frame'] });
});

test('a failure that its own summary tells is not counted twice', () => {
  const log = `${prefixed(7, cunit(5, 5, 4, 1))}
1/1 Test #7: unit.frame .......................***Failed    0.01 sec
`;
  assert.deepEqual(count(log).failed, 1);
});

test('time-outs, crashes and tests that were not run have failed; skipped ones are skipped', () => {
  const log = `1/5 Test  #1: a ....***Timeout  60.00 sec
2/5 Test  #2: b ....***Exception: SegFault  0.02 sec
3/5 Test #13: c ....***Not Run   0.00 sec
4/5 Test #14: d ....***Skipped   0.00 sec
5/5 Test #15: e ....Subprocess aborted***Exception:   0.02 sec
`;
  assert.deepEqual(count(log), { passed: 0, failed: 4, skipped: 1, names: ['a', 'b', 'c', 'e'] });
});

test("both forms of node's test runner are counted, and failures named", () => {
  const tap = 'not ok 3 - a lost tag\n# tests 4\n# suites 1\n# pass 2\n# fail 1\n# cancelled 0\n# skipped 1\n# todo 0\n';
  assert.deepEqual(count(tap), { passed: 2, failed: 1, skipped: 1, names: ['a lost tag'] });
  assert.equal(count('ℹ tests 4\nℹ pass 4\nℹ fail 0\n').passed, 4);
});

test('a cancelled test of node has failed', () => {
  assert.equal(count('# pass 2\n# fail 0\n# cancelled 1\n').failed, 1);
});

test("what the project's own programs say of a failure is named, with its line", () => {
  const log = 'ok      a (1 ms)\nFAILED  Next.js 16: no answer was wrong (0 ms)\n        AssertionError\nFAIL  kept over SIGKILL\n1 passed, 2 failed\n';
  const names = ['Next.js 16: no answer was wrong (0 ms)', 'kept over SIGKILL'];
  assert.deepEqual(count(log), { passed: 1, failed: 2, skipped: 0, names });
  assert.equal(raw(log).split('\n')[1], '2 Next.js 16: no answer was wrong (0 ms)');
});

test('the plain line is counted alone on its line only', () => {
  assert.deepEqual(count('next-16: 7 passed, 1 failed, 2 skipped\n'), { passed: 7, failed: 1, skipped: 2, names: [] });
  assert.equal(count('saw 7 passed, 1 failed in the text\n').passed, 0);
});
