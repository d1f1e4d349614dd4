'use strict';
/*
 * The epoch of a build.  What `next build` prerenders is stored later, by the servers that run it,
 * and must then not outlive a revalidation that came after the rendering.  So the epoch is written
 * down before anything is rendered, in a file that stays with the build output.
 *
 * Nothing known is 0.  One that is too small costs renderings; one that is too large would be wrong.
 *
 * Epochs of two stores say nothing of each other, and a build may well see another store than the
 * servers do: a folder of its own, the staging environment's.  So the build revalidates a tag that
 * is its own alone.  Where a server's store has that mark, it is the store that the epoch is of.
 */
const fs = require('node:fs');
const path = require('node:path');
const { state, store, clock, building, sayOnce, OFFLINE } = require('./state.js');

const FILE = path.join('cache', 'larder-build.json');
/** A build waits no longer for a store that may not be there. */
const WAIT_MS = 500;
const GONE = 3;

/*
 * One line a record: the build's main process id, the epoch and the time.  Where several processes
 * of one build write (those that render, if withLarder() did not do it before), the smallest counts.
 */
/** @param {string} distDir @param {number} epoch @param {string} tag @param {boolean} first */
function write(distDir, epoch, tag, first) {
  const build = process.env.IS_NEXT_WORKER ? process.ppid : process.pid;
  const record = { build, epoch, tag, at: Date.now() };
  try {
    fs.mkdirSync(path.join(distDir, 'cache'), { recursive: true });
    const file = path.join(distDir, FILE);
    // What was noted before, by `larder seed --begin` or for an earlier build, is older than this build and
    // of a store that there is: so it holds for this one as well.
    if (first && epoch === 0 && fs.existsSync(file)) return;
    if (first) fs.writeFileSync(file, `${JSON.stringify(record)}\n`);
    else fs.appendFileSync(file, `${JSON.stringify(record)}\n`);
  } catch {}
}

/** Set by withLarder() for the processes that the build starts. */
const RECORDED = '__LARDER_BUILD';

/*
 * Called where nothing of this process has been rendered.  Blocks, at most WAIT_MS: next.config.js
 * is often not a function that may be awaited, and a handler's constructor never is.
 */
/** @param {string} distDir @param {boolean} first   true: before all other processes of the build */
function record(distDir, first) {
  const s = state();
  const key = `build:${distDir}`;
  if (s.perDir.has(key) || process.env[RECORDED] === distDir) return;
  s.perDir.set(key, true);
  s.distDir ??= distDir;
  let epoch = 0;
  // Here: loading it takes longer than a server's first get may, and servers record nothing.
  const { randomUUID } = require('node:crypto');
  const tag = `larder:build:${randomUUID()}`;
  const opened = store();
  if (opened) {
    const begin = clock();
    const begun = (promise) => promise.catch(() => {});
    // Looking at marks creates what a new store lacks (the mark of the namespace), which raises
    // its epoch; so that comes first.  Where they cannot be read nothing is known, and a revalidation
    // would fail as well, and be kept for later.
    begun(opened.check([], 0));
    if (opened.drain(WAIT_MS) && opened.latest() > 0) {
      begun(opened.revalidate([tag]));
      opened.drain(Math.max(0, WAIT_MS - (clock() - begin)));
      // Not known(): with mark-age that is behind, for the sake of marks that were read before.  All
      // that this build's pages are made of is judged by what is read after this revalidation.
      epoch = opened.latest();
    }
  }
  write(distDir, epoch, tag, first);
  if (first) {
    process.env[RECORDED] = distDir;
    if (opened && epoch === 0) {
      process.env[OFFLINE] = '1';
      sayOnce(
        'the store does not answer; this build does without it, and what it prerenders may be rendered once more',
      );
    }
  }
}

/** For the handler's constructor: a build whose next.config.js does not use withLarder(). */
/** @param {string | undefined} serverDistDir */
function recordInWorker(serverDistDir) {
  if (serverDistDir && building()) record(path.dirname(serverDistDir), false);
}

/*
 * The record of what lies in distDir; read once.  `at`: when the epoch was known; what is older was
 * rendered by another build.
 */
/** @param {string} distDir @returns {{ epoch: number, at: number, tag: string }} */
function recorded(distDir) {
  const { perDir } = state();
  const key = `recorded:${distDir}`;
  let found = perDir.get(key);
  if (found) return found;
  found = { epoch: 0, at: 0, tag: '' };
  try {
    const text = fs.readFileSync(path.join(distDir, FILE), 'utf8').trim();
    const lines = text.split('\n').map((line) => JSON.parse(line));
    const mine = lines.filter((line) => line.build === lines[lines.length - 1].build);
    const least = mine.reduce((a, b) => (b.epoch < a.epoch ? b : a));
    const at = Math.min(...mine.map((line) => line.at));
    if (Number.isSafeInteger(least.epoch) && least.epoch > 0 && Number.isFinite(at) && least.tag) {
      found = { epoch: least.epoch, at, tag: String(least.tag) };
    }
  } catch {}
  perDir.set(key, found);
  return found;
}

/**
 * The epoch of an output file in distDir, for this store; 0 where none is proven.
 * @param {import('./native').Store} s
 * @param {string} distDir
 * @param {number} modified   of the file
 * @returns {Promise<number>}
 */
async function epochOf(s, distDir, modified) {
  const { epoch, at, tag } = recorded(distDir);
  if (epoch === 0 || at > modified) return 0;
  const { perDir } = state();
  const key = `proof:${distDir}`;
  let same = perDir.get(key);
  if (same === undefined) {
    // Its mark has that epoch: what is older is gone, and what is as old is not.  A store that may lose
    // marks makes one for each tag that it is asked for, of an epoch of its own.
    const { verdict } = await s.check([tag], epoch - 1);
    const { verdict: itself } = verdict === GONE ? await s.check([tag], epoch) : { verdict: GONE };
    if (verdict < 0 || itself < 0) return 0;
    same = itself !== GONE;
    perDir.set(key, same);
  }
  return same ? epoch : 0;
}

module.exports = { record, recordInWorker, epochOf, FILE };
