'use strict';
/*
 * larder.json is read twice: by the core (core/src/config_json.c) for the command line, and by the
 * handlers (bindings/node/lib/settings.js), since the addon holds no JSON parser.  Each text here
 * must come to the same configuration, or be refused by both.
 *
 * PROGRAM names the program.
 */
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test, before, after } = require('node:test');
const { fromText } = require('../../bindings/node/lib/settings.js');

const program = path.resolve(process.env.PROGRAM);
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('LARDER_')));
let folder;

before(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-json-'));
});
after(() => fs.rmSync(folder, { recursive: true }));

/** What `larder config` prints, or undefined where it refuses. */
function configured(...args) {
  const ran = spawnSync(program, ['config', ...args], { cwd: folder, env, encoding: 'utf8' });
  assert.ifError(ran.error);
  assert.ok(ran.status === 0 || ran.status === 2, `exit code ${ran.status}: ${ran.stderr}`);
  return ran.status === 0 ? JSON.parse(ran.stdout) : undefined;
}

function byCore(text) {
  const file = path.join(folder, 'given.json');
  fs.writeFileSync(file, text);
  return configured('--config', file);
}

function byHandlers(text) {
  let settings;
  try {
    settings = fromText(text, 'larder.json');
  } catch {
    return undefined;
  }
  if (settings.some(([, value]) => value.includes('\0'))) return undefined; // as the addon does
  return configured(...settings.map(([name, value]) => `--set=${name}=${value}`));
}

const same = {
  'an empty object': '{}',
  'a URL': '{"cache": "fs:some/dir?max-size=2GB", "namespace": "shop"}',
  'an object with a driver': '{"cache": {"driver": "fs", "url": "d", "max-size": "2GB", "private": true}}',
  'an object with a url': '{"cache": {"url": "fs:d", "lanes": 2}, "tags": {"url": "fs:e"}}',
  'driver and url': '{"cache": {"driver": "fs", "url": "a?b"}}',
  'a driver that is a URL': '{"cache": {"driver": "fs:d"}}',
  'settings with a dot': '{"cache.lanes": 3, "cache": "fs:d"}',
  'numbers': '{"compress-level": -3, "max-inflight": 1e3, "get-deadline": 1500, "write-deadline": 2500.0}',
  'booleans': '{"index": true, "cache": {"driver": "fs", "private": false}}',
  'lists': '{"shared-kinds": ["fetch", "image"]}',
  'an empty list': '{"shared-kinds": []}',
  'null is absent': '{"namespace": null, "cache": {"driver": "fs", "url": "d", "lanes": null}}',
  'names that begin with a dollar': '{"$schema": "x", "$comment": {"a": [1]}, "namespace": "n"}',
  'a byte order mark': '\ufeff{"namespace": "n"}',
  'escapes': '{"cache": {"driver": "fs", "url": "\\u00e4\\t\\"\\\\\\/\\ud83d\\ude00"}}',
  'white space': ' \n\t\r{ "namespace" : "n" } \n',
};

const refused = {
  'nothing': '',
  'no object': '["a"]',
  'a text': '"fs:d"',
  'something behind it': '{} {}',
  'a comma too many': '{"namespace": "n",}',
  'a comment': '{"namespace": "n" /* mine */}',
  'single quotes': "{'namespace': 'n'}",
  'an unknown setting': '{"namespce": "n"}',
  'an unknown setting of the driver': '{"cache": {"driver": "fs", "lnaes": 2}}',
  'a wrong value': '{"get-deadline": "soon"}',
  'a fraction for a whole number': '{"max-inflight": 1.5}',
  'an object for a text': '{"namespace": {"a": 1}}',
  'a list in a list': '{"shared-kinds": [["fetch"]]}',
  'an object without a driver': '{"cache": {"lanes": 2}}',
  'an empty driver': '{"cache": {"driver": ""}}',
  'a number for a driver': '{"cache": {"driver": 5}}',
  'a zero byte': '{"cache": {"driver": "fs", "url": "a\\u0000b"}}',
  'a name that is there twice': '{"namespace": "a", "namespace": "b"}',
};

for (const [name, text] of Object.entries(same)) {
  test(`both read alike: ${name}`, () => {
    const core = byCore(text);
    assert.ok(core, 'the core refuses it');
    assert.deepStrictEqual(byHandlers(text), core);
  });
}

for (const [name, text] of Object.entries(refused)) {
  test(`both refuse: ${name}`, () => {
    assert.strictEqual(byCore(text), undefined);
    assert.strictEqual(byHandlers(text), undefined);
  });
}
