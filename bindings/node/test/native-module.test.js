'use strict';
/* The file itself: what it exports, what it depends on, and that it is never unloaded. */
const assert = require('node:assert/strict');
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { addonFile, sanitizer } = require('./support/native.js');

const clean = { ...process.env, LD_PRELOAD: '' };
const missing = ['readelf', 'nm'].find((tool) => spawnSync(tool, ['--version'], { env: clean }).error);
const skip = missing ? `${missing} is not installed (Debian: binutils)` : false;
const output = (tool, ...args) => execFileSync(tool, [...args, addonFile()], { encoding: 'utf8', env: clean });

test('it exports what Node.js looks for and nothing else', { skip }, () => {
  const names = output('nm', '-D', '--defined-only').trim().split('\n').map((line) => line.split(' ').at(-1));
  assert.deepEqual(names.sort(), ['napi_register_module_v1', 'node_api_module_get_api_version_v1']);
});

test('it needs the C library alone', { skip: skip || (sanitizer ? 'a sanitizer’s runtime is needed too' : false) }, () => {
  const needed = [...output('readelf', '-d').matchAll(/\(NEEDED\).*\[(.*)\]/g)].map((match) => match[1]);
  assert.deepEqual(needed.filter((name) => !/^(libc\.so\.|ld-linux)/.test(name)), []);
});

test('it and the drivers beside it run on glibc 2.34 and later', { skip: skip || (sanitizer ? 'a sanitizer’s runtime may need more' : false) }, () => {
  const folder = path.join(path.dirname(addonFile()), 'larder');
  const drivers = fs.readdirSync(folder).map((name) => path.join(folder, name));
  for (const file of [addonFile(), ...drivers]) {
    const versions = execFileSync('readelf', ['-V', file], { encoding: 'utf8', env: clean }).match(/GLIBC_2\.\d+/g) ?? [];
    const minors = versions.map((version) => Number(version.slice('GLIBC_2.'.length)));
    assert.ok(Math.max(0, ...minors) <= 34, `${file}: ${versions.join(' ')}`);
  }
});

test('it takes nothing but Node-API from node', { skip: skip || (sanitizer ? 'weak symbols stay in a sanitized build' : false) }, () => {
  const undefinedNames = output('nm', '-D', '--undefined-only').trim().split('\n').map((line) => line.trim().split(' ').at(-1));
  const foreign = undefinedNames.filter((name) => /^(ZSTD|XXH|cJSON|uv_|SSL_|EVP_|inflate|deflate)/.test(name));
  assert.deepEqual(foreign, []);
});

test('it stays mapped: threads and finalizers may outlive the worker that loaded it', { skip }, () => {
  assert.match(output('readelf', '-d'), /FLAGS_1.*NODELETE/);
});

test('its relocations are read-only', { skip }, () => {
  assert.match(output('readelf', '-d'), /BIND_NOW/);
  assert.match(output('readelf', '-l'), /GNU_RELRO/);
});
