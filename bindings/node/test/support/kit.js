'use strict';
/*
 * What the programs of the tests are given, in a process or a worker of their own (run() in
 * native.js runs a function there).
 */
const { Worker, parentPort } = require('node:worker_threads');

const native = require('../../lib/native.js');
const { setLog } = require('../../lib/log.js');

/** open('cache', 'memory:', 'namespace', 'one'): names and values in turn. */
function open(...settings) {
  const list = [];
  for (let i = 0; i < settings.length; i += 2) list.push([settings[i], settings[i + 1], 'the test']);
  return native.open(list);
}

/** An entry of which a test says what matters to it. */
function entry(more) {
  return {
    key: 'a key',
    build: 'build',
    kind: native.KIND.PAGE,
    epoch: 0,
    modified: 1700000000000,
    revalidate: NaN,
    expire: NaN,
    tags: [],
    meta: '{}',
    parts: [],
    ...more,
  };
}

/** Runs the function in a worker, with this kit and `arg`. */
function start(fn, arg) {
  const source = `(${fn})(require(${JSON.stringify(__filename)}), ${JSON.stringify(arg)});`;
  return new Worker(source, { eval: true });
}

/** The worker's exit code. */
function ended(worker) {
  return new Promise((resolve, reject) => {
    worker.on('error', reject);
    worker.on('exit', resolve);
  });
}

/** The worker's next message. */
function said(worker) {
  return new Promise((resolve, reject) => {
    worker.on('error', reject);
    worker.once('message', resolve);
  });
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

module.exports = { native, setLog, open, entry, start, ended, said, pause, parentPort, slow: process.env.TEST_SLOW_DRIVER };
