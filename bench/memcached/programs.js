'use strict';
// What C does without JavaScript: the driver, a store on it, and libmemcached by itself.

const path = require('node:path');
const { run } = require('../lib/rounds.js');

const LANES = 8; // of the driver, where it may have them; libmemcached gets as many threads

async function measured(program, args) {
  const release = path.join(process.env.BENCH_BUILD, 'release');
  const env = { LARDER_DRIVER_PATH: path.join(release, 'lib/larder') };
  const { stdout } = await run(path.join(release, 'bin', program), ['--json', ...args.map(String)], { env });
  const { ops, ...figures } = JSON.parse(stdout);
  return figures;
}

const driver = ({ url }, { op, bytes, inflight, ms }, ...through) => measured('bench_driver', [url, op, bytes, inflight, ms, ...through]);
const library = ({ port }, { op, bytes, inflight, ms }, protocol) =>
  measured('bench_memcached', [port, protocol, op, bytes, Math.min(inflight, LANES), ms]);

/** Each: (server, {op, bytes, inflight, ms}) resolves to a measurement. */
const programs = {
  'larder, driver': (server, what) => driver(server, what),
  'larder, store': (server, what) => driver(server, what, 'store'),
  'libmemcached, text': (server, what) => library(server, what, 'text'),
  'libmemcached, binary': (server, what) => library(server, what, 'binary'),
};

module.exports = { LANES, programs };
