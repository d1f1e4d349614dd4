'use strict';
/* A worker thread that comes and goes: child.js. */
const { parentPort, workerData } = require('node:worker_threads');
const native = require('../../bindings/node/lib/native.js');
const { Client } = require('./work.js');

const { settings, number } = workerData;
native.load();
const own = [['cache', 'memory:', 'the soak'], ['namespace', `worker-${number % 8}`, 'the soak']];
const clients = [native.open(settings), native.open(own)].map((store, i) => new Client(store, number * 2 + i));

async function main() {
  for (let i = 0; i < 200; i++) {
    await Promise.all(clients.map((client) => client.step()));
    if (i === 100) parentPort.postMessage('half'); // some are ended here
  }
}
main();
