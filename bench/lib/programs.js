'use strict';
// What is measured in C, by programs of their own that print JSON: build/release/bin/bench_NAME.

const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');

/** What the program says; null where it is not built.  BENCH_BUILD is the folder of the builds. */
function program(name, ...args) {
  const release = path.join(process.env.BENCH_BUILD, 'release');
  const file = path.join(release, 'bin', `bench_${name}`);
  if (!fs.existsSync(file)) return null;
  const env = { ...process.env, LARDER_DRIVER_PATH: path.join(release, 'lib/larder') };
  const { status, stdout, stderr } = spawnSync(file, ['--json', ...args], { encoding: 'utf8', timeout: 120_000, env });
  if (status !== 0) throw new Error(`bench_${name}: ${stderr}`);
  return JSON.parse(stdout);
}

module.exports = { program };
