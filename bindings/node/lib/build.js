'use strict';
/*
 * The epoch of a build.  What `next build` prerenders is stored later, by the servers that run it,
 * and must then not outlive a revalidation that came after the rendering.  So the epoch is written
 * down before anything is rendered, in a file that stays with the build output.
 *
 * Nothing known is 0.  One that is too small costs renderings; one that is too large would be wrong.
 */
const fs = require('node:fs');
const path = require('node:path');
const { state, store, building, sayOnce, OFFLINE } = require('./state.js');

const FILE = path.join('cache', 'larder-build.json');
/** A build waits no longer for a store that may not be there. */
const WAIT_MS = 500;

/*
 * One line a record: the build's main process id, the epoch and the time.  Where several processes
 * of one build write (those that render, if withLarder() did not do it before), the smallest counts.
 */
/** @param {string} distDir @param {number} epoch @param {boolean} first */
function write(distDir, epoch, first) {
  const record = { build: process.env.IS_NEXT_WORKER ? process.ppid : process.pid, epoch, at: Date.now() };
  try {
    fs.mkdirSync(path.join(distDir, 'cache'), { recursive: true });
    const file = path.join(distDir, FILE);
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
  const opened = store();
  if (opened) {
    const begin = performance.now();
    const begun = (promise) => promise.catch(() => {});
    // Looking at marks creates what a new store lacks (the mark of the namespace), which raises
    // its epoch; so that comes first.
    begun(opened.check([], 0));
    if (opened.drain(WAIT_MS)) {
      begun(opened.epoch());
      opened.drain(Math.max(0, WAIT_MS - (performance.now() - begin)));
      epoch = opened.known();
    }
  }
  write(distDir, epoch, first);
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

/**
 * The epoch of what lies in distDir; read once.  `at`: when it was known; what is older was
 * rendered by another build.
 * @param {string} distDir
 * @returns {{ epoch: number, at: number }}
 */
function recorded(distDir) {
  const { perDir } = state();
  const key = `recorded:${distDir}`;
  let found = perDir.get(key);
  if (found) return found;
  found = { epoch: 0, at: 0 };
  try {
    const lines = fs
      .readFileSync(path.join(distDir, FILE), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const last = lines[lines.length - 1];
    const mine = lines.filter((line) => line.build === last.build);
    const epoch = Math.min(...mine.map((line) => line.epoch));
    const at = Math.min(...mine.map((line) => line.at));
    if (Number.isSafeInteger(epoch) && epoch >= 0 && Number.isFinite(at)) found = { epoch, at };
  } catch {}
  perDir.set(key, found);
  return found;
}

module.exports = { record, recordInWorker, recorded, FILE };
