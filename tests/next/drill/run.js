#!/usr/bin/env node
'use strict';
/* The outage drill by itself: see script/drill. */
const { Origin } = require('../harness.js');
const { pack, install, lay, build, clean } = require('../app.js');
const { rehearse, SHORT, LONG } = require('./drill.js');
const { end } = require('../../../bench/lib/outcome.js');

const VERSION = '16.4.6';

function options(argv) {
  const out = { ...LONG, json: false, built: false, out: '' };
  for (let i = 0; i < argv.length; i++) {
    if (argv[i] === '--seconds') out.seconds = Number(argv[++i]);
    else if (argv[i] === '--short') Object.assign(out, SHORT);
    else if (argv[i] === '--json') out.json = true;
    else if (argv[i] === '--built') out.built = true;
    else if (argv[i] === '--out') out.out = argv[++i];
    else if (argv[i] === '--records') out.records = argv[++i];
    else throw new Error(`what is ${argv[i]}?`);
  }
  if (!(out.seconds >= 0)) throw new Error('--seconds takes a number');
  return out;
}

async function main() {
  clean();
  const opts = options(process.argv.slice(2));
  const origin = new Origin();
  await origin.listen();
  let result;
  try {
    const dir = await install(VERSION, await pack(), { installed: false });
    if (!opts.built) {
      lay(dir, 'fixture', Number.parseInt(VERSION, 10));
      await build(dir, { ORIGIN: origin.url });
    }
    result = await rehearse({ dir, version: VERSION, origin }, opts);
  } finally {
    origin.close();
  }
  end(result, opts);
}

main().catch((error) => {
  console.error(`drill: ${error.stack ?? error}`);
  process.exitCode = 2;
});
