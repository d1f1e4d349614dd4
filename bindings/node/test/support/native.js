'use strict';
/*
 * For the tests of the addon: stores on the memory driver, the slow driver, and programs that run
 * in a process of their own.
 */
const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const v8 = require('node:v8');
const vm = require('node:vm');

const { native, entry } = require('./kit.js');

const root = path.join(__dirname, '..', '..', '..', '..');

/** asan or tsan: the runtime comes by LD_PRELOAD (test/run). */
const sanitizer = /lib([at]san)\.so/.exec(process.env.LD_PRELOAD ?? '')?.[1];

/** Where the module that load() takes lies. */
function addonFile() {
  native.load();
  const files = Object.keys(require.cache).filter((file) => file.endsWith(`${path.sep}larder.node`));
  if (files.length !== 1) throw new Error(`expected one addon, found ${files.join(', ') || 'none'}`);
  return files[0];
}

/** What test/c is built into, beside the addon or in a checkout's build folder. */
function builtForTests(name) {
  const folders = [path.dirname(addonFile()), ...['release', 'dev'].map((preset) => path.join(root, 'build', preset, 'lib'))];
  return folders.map((folder) => path.join(folder, 'test-drivers', name)).find((file) => fs.existsSync(file));
}

const slowDriver = () => builtForTests('slow.so');

let stores = 0;
/** A store that nobody else has. */
function openMemory(more = [], cache = 'memory:') {
  return native.open(memorySettings(`test-${process.pid}-${++stores}`, more, cache));
}

/** Deadlines are long: the machine may be busy, and sanitizers are slow. */
function memorySettings(namespace, more = [], cache = 'memory:') {
  const settings = [['cache', cache], ['namespace', namespace], ['get-deadline', '60s'], ['write-deadline', '60s'], ...more];
  return settings.map(([name, value]) => [name, value, 'the test']);
}

/** Stores it as freshly rendered and reads it back. */
async function roundTrip(store, more) {
  const { known } = await store.epoch();
  const put = entry({ epoch: known, ...more });
  const { status, detail } = await store.put(put);
  if (status !== 0) throw new Error(`put: ${status} ${detail}`);
  const got = await store.get(put.kind, put.build, put.key, null, 0);
  if (got.verdict !== native.FRESH) throw new Error(`get: ${got.verdict} ${got.detail}`);
  return got;
}

const collect = (() => {
  v8.setFlagsFromString('--expose-gc');
  return vm.runInNewContext('gc');
})();

/** Collects garbage until `done` says true; finalizers may run some turns of the loop later. */
async function collectUntil(done) {
  for (let i = 0; i < 50; i++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
    if (done()) return true;
  }
  return false;
}

const LIMIT_MS = sanitizer ? 120000 : 30000;

/**
 * Runs the function in a process of its own, with the kit (kit.js) as its argument.  A process
 * that does not end is killed, and its signal says so.
 *
 * exits: it calls process.exit() or throws, which skips what node frees otherwise, so that
 * hundreds of its blocks would look leaked.
 */
function run(fn, { env = {}, cwd, exits = false } = {}) {
  const program = `(${fn})(require(${JSON.stringify(path.join(__dirname, 'kit.js'))}));`;
  const asan = process.env.ASAN_OPTIONS ?? '';
  const child = spawn(process.execPath, ['--expose-gc', '-e', program], {
    env: {
      ...process.env,
      ...(exits ? { ASAN_OPTIONS: `${asan}:detect_leaks=0` } : {}),
      LARDER_NODE_ADDON: addonFile(),
      TEST_SLOW_DRIVER: slowDriver() ?? '',
      LARDER_LOG: 'off', // stores are made to fail here
      ...env,
    },
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => (stdout += data));
  child.stderr.on('data', (data) => (stderr += data));
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, stdout, stderr });
    });
  });
}

/** The same, and it must end well, having said this and nothing on stderr. */
async function runsWell(fn, stdout = '', { code = 0, ...options } = {}) {
  const result = await run(fn, options);
  assert.deepEqual(result, { code, signal: null, stdout, stderr: '' });
}

module.exports = {
  native,
  sanitizer,
  addonFile,
  builtForTests,
  slowDriver,
  openMemory,
  memorySettings,
  entry,
  roundTrip,
  collectUntil,
  run,
  runsWell,
};
