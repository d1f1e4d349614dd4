'use strict';
/*
 * What this package and the core have to say to people: one way out, the function given to setLog() or
 * the console.  Lines of the core come through hear(), with the next answers.  Loaded by whoever has
 * something to say first.
 */
const { state } = require('./state.js');

/** @typedef {'error' | 'warn' | 'info' | 'debug'} Level */

/** @type {Level[]} */
const LEVELS = ['error', 'warn', 'info', 'debug'];
/** Lines that are said once; of more than this none is. */
const MAX_SAID = 1000;

/** The setting `log`, as far as it is known: before a store is opened, the variable's. */
function wanted(level) {
  const most = state().logLevel ?? process.env.LARDER_LOG;
  return most !== 'off' && LEVELS.indexOf(level) <= (LEVELS.includes(most) ? LEVELS.indexOf(most) : 1);
}

/** @param {Level} level @param {string} line */
function give(level, line) {
  const { log } = state();
  try {
    if (log) return void log(level, line);
  } catch {
    // Whoever logs must not be stopped by a logger; the line goes where it is seen.
  }
  (level === 'error' ? console.error : console.warn)(`larder: ${line}`);
}

/** @param {Level} level @param {string} line */
function say(level, line) {
  if (wanted(level)) give(level, line);
}

/** @param {string} line */
function sayOnce(line) {
  const { said } = state();
  if (said.has(line) || said.size > MAX_SAID) return;
  said.add(line);
  say('warn', line);
}

/** From the addon: how many lines were dropped, then level and line of each; the core knows the level wanted. */
function hear([dropped, ...lines]) {
  for (let i = 0; i < lines.length; i += 2) give(lines[i], lines[i + 1]);
  if (dropped > 0) give('warn', `${dropped} line${dropped === 1 ? '' : 's'} of the log dropped: there were too many at once`);
}

/** @param {((level: Level, line: string) => void) | null} [log] */
function setLog(log) {
  if (log !== undefined && log !== null && typeof log !== 'function')
    throw new TypeError('larder: setLog() takes a function, or nothing');
  const s = state();
  s.log = log ?? undefined;
  s.hear?.(Boolean(log));
}

module.exports = { say, sayOnce, hear, setLog };
