'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parse } = require('../lib/json.js');
const { settings, fromText, fromOptions, OPTIONS_VARIABLE, OPTIONS_FILE } = require('../lib/settings.js');

function app(t, files = {}) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'larder settings '));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  for (const name of ['LARDER_CACHE', 'LARDER_CONFIG', OPTIONS_VARIABLE]) {
    const before = process.env[name];
    delete process.env[name];
    t.after(() => (before === undefined ? delete process.env[name] : (process.env[name] = before)));
  }
  for (const [name, text] of Object.entries({ 'package.json': '{}', ...files })) {
    fs.mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
    fs.writeFileSync(path.join(dir, name), text);
  }
  return dir;
}

test('JSON that is right is what JSON.parse makes of it', () => {
  const plain = (node) => {
    const { value } = node;
    if (value instanceof Map) return Object.fromEntries([...value].map(([k, v]) => [k, plain(v)]));
    return Array.isArray(value) ? value.map(plain) : value;
  };
  for (const text of [
    '{}',
    '[]',
    ' {"a" : [1, -2.5e3, true, null, "x\\n\\u00e9\\ud83d\\ude00"], "b":{"c":{}}}\n',
    '\ufeff{"a":1}',
    '"a"',
    '0',
  ]) {
    assert.deepEqual(plain(parse(text)), JSON.parse(text.replace(/^\ufeff/, '')), text);
  }
});

test('JSON that is wrong is refused, with the line', () => {
  for (const [text, line, message] of [
    ['{\n  "a": 1,\n}', 3, /double quotes expected/],
    ['{\n\n  // note\n}', 3, /comments/],
    ['{"a":\n tru}', 2, /tru is not JSON/],
    ['{"a":1,\n"a":2}', 2, /"a" is there twice/],
    ['{"a":1', 1, /end of the file/],
    ['{"a" 1}', 1, /":" expected/],
    ['{"a":01}', 1, /is not JSON/],
    ["{'a':1}", 1, /'a' is not JSON/],
    ['{} x', 1, /is not JSON/],
    ['{}{}', 1, /end of the file expected/],
    ['', 1, /a value expected/],
    ['{"a":"\n"}', 1, /is not JSON/],
    ['['.repeat(200), 1, /too deep/],
  ]) {
    assert.throws(
      () => parse(text),
      (error) => {
        assert.equal(error.line, line, text);
        assert.match(error.message, message);
        return true;
      },
    );
  }
});

test('larder.json becomes settings, each with its line', () => {
  const text =
    '{\n  "namespace": "shop",\n  "cache": {\n    "driver": "s3",\n    "bucket": "b",\n    "path-style": true\n  },\n  "tags": "redis://host",\n  "nodes": ["a", "b"],\n  "none": null\n}\n';
  assert.deepEqual(fromText(text, 'larder.json'), [
    ['namespace', 'shop', 'larder.json:2'],
    ['cache', 's3', 'larder.json:4'],
    ['cache.bucket', 'b', 'larder.json:5'],
    ['cache.path-style', 'true', 'larder.json:6'],
    ['tags', 'redis://host', 'larder.json:8'],
    ['nodes', 'a,b', 'larder.json:9'],
  ]);
});

test('mistakes in larder.json name file and line', () => {
  assert.throws(() => fromText('{\n"a": }', 'larder.json'), /^Error: larder\.json:2: a value expected/);
  assert.throws(
    () => fromText('{\n"cache": {"bucket": 1}}', 'larder.json'),
    /larder\.json:2: "cache" needs "driver"/,
  );
  assert.throws(() => fromText('{"x": {}}', 'larder.json'), /larder\.json:1: "x" takes no object/);
  assert.throws(() => fromText('[]', 'larder.json'), /an object was expected/);
});

test('options of withLarder() that are its own are no settings', () => {
  assert.deepEqual(
    fromOptions({ cache: 'memory:', useCache: true, images: false, config: 'x', 'get-deadline': '1s' }),
    [
      ['cache', 'memory:', 'withLarder()'],
      ['get-deadline', '1s', 'withLarder()'],
    ],
  );
});

/** What every store is given unless something says otherwise. */
const LIVE = ['live', 'auto', 'the default'];

test('nothing configured: files in .next/cache/larder, by absolute path', (t) => {
  const dir = app(t);
  assert.deepEqual(
    settings(path.join(dir, '.next')).map(([name, value]) => [name, value]),
    [
      ['live', 'auto'],
      ['cache', 'fs'],
      ['cache.url', path.join(dir, '.next/cache/larder')],
    ],
  );
});

test('larder.json comes before the options, which win', (t) => {
  const dir = app(t, { 'larder.json': '{"cache": "memory:", "namespace": "a"}' });
  process.env[OPTIONS_VARIABLE] = '{"namespace":"b"}';
  assert.deepEqual(settings(path.join(dir, '.next')), [
    LIVE,
    ['cache', 'memory:', 'larder.json:1'],
    ['namespace', 'a', 'larder.json:1'],
    ['namespace', 'b', 'withLarder()'],
  ]);
});

test('a standalone server has its options from the build output', (t) => {
  const dir = app(t, { [path.join('.next', OPTIONS_FILE)]: '{"cache":"memory:"}' });
  assert.deepEqual(settings(path.join(dir, '.next')), [LIVE, ['cache', 'memory:', 'withLarder()']]);
});

test('LARDER_CACHE replaces the default, which is then not named', (t) => {
  const dir = app(t);
  process.env.LARDER_CACHE = 'memory:';
  assert.deepEqual(settings(path.join(dir, '.next')), [LIVE]);
});

test('LARDER_CONFIG names another file, which must be there', (t) => {
  const dir = app(t, { 'other.json': '{"cache": "memory:"}' });
  process.env.LARDER_CONFIG = 'other.json';
  assert.deepEqual(settings(path.join(dir, '.next')), [LIVE, ['cache', 'memory:', 'other.json:1']]);
  process.env.LARDER_CONFIG = 'none.json';
  assert.throws(() => settings(path.join(dir, '.next')), /none\.json: there is no such file/);
});
