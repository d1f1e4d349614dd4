'use strict';
/*
 * The process that is watched: full load on the addon, with everything that comes and goes.  Told by its
 * parent to work or to rest; while it rests nothing is under way, and it says what is alive.
 */
const path = require('node:path');
const { Worker } = require('node:worker_threads');

const native = require('../../bindings/node/lib/native.js');
const { Client, settle } = require('./work.js');

const { clients, dir, fault } = JSON.parse(process.argv[2]);
const addon = native.load();
if (!addon) process.exit(2);

const settings = (list) => Object.entries(list).map(([name, value]) => [name, value, 'the soak']);
const FILES = settings({
  cache: `fs:${dir}/store?max-size=64MB`,
  journal: `${dir}/journal`,
  memory: '6MB',
  compress: 'on',
  fault,
  'on-outage': 'serve',
});
const MEMORY = settings({ cache: 'memory:', memory: '4MB', namespace: 'own' });

const stores = [native.open(FILES), native.open(MEMORY)];
let working = false;
let running = [];
let operations = 0;

async function client(i) {
  const one = new Client(stores[i % stores.length], i);
  while (working) {
    const done = await one.step();
    operations += done;
  }
}

/* A worker shares the store on files, has one of its own, and ends by itself or is ended in the middle. */
async function workers() {
  for (let n = 0; working; n++) {
    const worker = new Worker(path.join(__dirname, 'worker.js'), { workerData: { settings: FILES, number: n } });
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    worker.on('error', (error) => fail(error));
    if (n % 2) {
      await new Promise((resolve) => worker.once('message', resolve));
      await worker.terminate();
    }
    await ended;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

function fail(error) {
  console.error(error);
  process.exit(2);
}

function work() {
  working = true;
  running = Array.from({ length: clients }, (_, i) => client(i));
  running.push(workers());
}

async function rest() {
  working = false;
  await Promise.all(running);
  await settle(stores, addon);
  const [externals, buffers, texts, , timers] = addon.live();
  return { externals, buffers, texts, timers };
}

function counts() {
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  const [files] = stores.map((store) => store.stats());
  return {
    operations,
    heapUsed,
    external,
    arrayBuffers,
    buffers: addon.live()[1],
    timers: addon.live()[4],
    journal: files.journalPending,
    memoryBytes: files.memoryBytes,
    breaker: files.instances[0]?.breaker,
  };
}

process.on('message', async (what) => {
  try {
    if (what === 'work') work();
    else if (what === 'rest') process.send({ what, ...(await rest()) });
    else if (what === 'count') process.send({ what, ...counts() });
    else process.exit(0);
  } catch (error) {
    fail(error);
  }
});
process.on('disconnect', () => process.exit(0)); // whoever watched is gone
process.send({ what: 'ready' });
