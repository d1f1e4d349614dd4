'use strict';
/* Where lines go, and which. */
const { test, afterEach } = require('node:test');
const assert = require('node:assert/strict');
const { state, reset } = require('../lib/state.js');
const { say, sayOnce, hear, setLog } = require('../lib/log.js');

afterEach(reset);

function consoles(t) {
  const said = [];
  t.mock.method(console, 'error', (line) => said.push(['error', line]));
  t.mock.method(console, 'warn', (line) => said.push(['warn', line]));
  return said;
}

test('errors to console.error, the rest to console.warn: stdout is the application\'s', (t) => {
  const said = consoles(t);
  state().logLevel = 'debug';
  for (const level of ['error', 'warn', 'info', 'debug']) say(level, level);
  assert.deepEqual(said, [['error', 'larder: error'], ['warn', 'larder: warn'], ['warn', 'larder: info'], ['warn', 'larder: debug']]);
});

test('a function takes their place, until it is taken back', (t) => {
  const said = consoles(t);
  const given = [];
  setLog((level, line) => given.push([level, line]));
  say('warn', 'one');
  setLog();
  say('warn', 'two');
  assert.deepEqual(given, [['warn', 'one']]);
  assert.deepEqual(said, [['warn', 'larder: two']]);
  assert.throws(() => setLog('warn'), /takes a function/);
});

test('up to the level that the settings or, before they are read, LARDER_LOG name', (t) => {
  const given = [];
  const levels = ['error', 'warn', 'info', 'debug'];
  t.after(() => delete process.env.LARDER_LOG);
  for (const [name, n] of [['off', 0], ['error', 1], ['warn', 2], ['info', 3], ['debug', 4], ['', 2], ['loud', 2]]) {
    for (const place of ['variable', 'setting']) {
      reset();
      delete process.env.LARDER_LOG;
      if (place === 'setting') state().logLevel = name;
      else process.env.LARDER_LOG = name;
      setLog((level) => given.push(level));
      for (const level of levels) say(level, 'x');
      assert.deepEqual(given.splice(0), levels.slice(0, n), `${place} ${name}`);
    }
  }
});

test('what is said once is said once; what the core sends is not weighed again', () => {
  const given = [];
  setLog((level, line) => given.push(`${level} ${line}`));
  sayOnce('a');
  sayOnce('a');
  hear([0, 'debug', 'b', 'error', 'c']);
  hear([1, 'info', 'd']);
  assert.deepEqual(given, [
    'warn a', 'debug b', 'error c', 'info d', 'warn 1 line of the log dropped: there were too many at once',
  ]);
});

test('who asks for the log is told to the addon', () => {
  const asked = [];
  state().hear = (chosen) => asked.push(chosen);
  setLog(() => {});
  setLog(null);
  assert.deepEqual(asked, [true, false]);
});
