'use strict';
// script/bench s3: the driver beside the SDK, on one gateway and on one stub, in one run.  See README.md.

const path = require('node:path');
const { KB, MB, prefixOf, larderUrl, contenders } = require('./contenders.js');
const stub = require('./stub.js');
const { targets } = require('./targets.js');
const { median } = require('../lib/measure.js');
const { options, workFolder, progress, run, sample, takeTurns, coldStarts, machine, version, print, finish, go } = require('../lib/rounds.js');

/** only: of these contenders alone; their rows, and nothing is written. */
const { quick, only } = options();
const gateway = process.env.BENCH_S3;
const ROUNDS = quick ? 1 : 3;
const MS = quick ? 250 : 500;
const WARMUP_MS = quick ? 250 : 500;
const STARTS = quick ? 5 : 15;
const SIZES = [4 * KB, 300 * KB, 5 * MB];

const names = Object.keys(contenders);
const rounds = ['stub', 'gateway'].flatMap((server) => ['get', 'put'].flatMap((op) =>
  SIZES.flatMap((bytes) => [1, 32].map((inflight) => ({ server, op, bytes, inflight })))));

const work = workFolder('s3');
process.env.BENCH_MARKS = `fs:${path.join(work, 'marks')}`; // where workers look for it
const file = (name) => path.join(__dirname, name);
const worker = (spec) => sample(file('worker.js'), spec);
const titleOf = ({ server, op, bytes, inflight }) => `${server}: ${op}, ${bytes / KB} KB, ${inflight} in flight`;

async function table(spec, url) {
  const rows = await takeTurns({
    title: titleOf(spec), names: names.filter((name) => name.includes(only)), rounds: ROUNDS,
    measure: (contender) => worker({ contender, ...spec, url, ms: MS, warmupMs: WARMUP_MS }),
  });
  return { ...spec, rows };
}

/** The bucket, and in it everything that is read later. */
async function fill() {
  await run(process.env.BENCH_LARDER, ['provision'], { env: { LARDER_CACHE: larderUrl(gateway, prefixOf('larder', 0)), LARDER_TAGS: process.env.BENCH_MARKS } });
  for (const bytes of SIZES) {
    for (const contender of names) {
      progress(`storing with ${contender}, ${bytes / KB} KB`);
      await worker({ contender, bytes, url: gateway, fill: true });
    }
  }
  progress('');
}

async function coldStart(url) {
  const samples = await coldStarts(file('cold.js'), { bare: ['bare'], larder: ['larder', url], sdk: ['SDK', url] }, STARTS);
  const of = (who) => median(samples[who].map((s) => s.ms));
  return { starts: STARTS, bareMs: of('bare'), larderMs: of('larder'), sdkMs: of('sdk') };
}

async function main() {
  const where = machine({ sdk: version(process.env.BENCH_SDK, '@aws-sdk/client-s3') });
  await fill();
  const urls = { gateway, stub: (await stub.start(gateway, path.join(work, 'stub'), { names, sizes: SIZES })).url };
  const tables = [];
  for (const round of rounds) {
    tables.push(await table(round, urls[round.server]));
    print(titleOf(round), tables.at(-1).rows);
  }
  if (only) return;
  const cold = await coldStart(urls.stub);
  console.log(`\nfirst answer, median of ${cold.starts}: bare node ${cold.bareMs.toFixed(1)} ms, larder ${cold.larderMs.toFixed(1)} ms, SDK ${cold.sdkMs.toFixed(1)} ms`);
  const result = { command: 'script/bench s3', machine: where, rounds: ROUNDS, roundMs: MS, tables, cold };
  finish({ ...result, targets: targets(result) });
}

go(main);
