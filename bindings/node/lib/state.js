'use strict';
/*
 * What the handlers of one process share.  Next.js evaluates this package more than once in a
 * process (its own copy, and copies bundled into proxy.js or edge functions) and constructs the
 * handler two or three times a request, so nothing may live in a module or an instance: it is
 * all here, behind one global symbol.
 */

const SYMBOL = Symbol.for('larder.node.state.1');

/**
 * @typedef {object} State
 * @property {import('./native').Store | null | undefined} store  undefined: not opened yet; null: cannot be
 * @property {any} native            stands in for ./native.js in tests
 * @property {string | undefined} distDir   absolute path of .next
 * @property {Epochs} epochs   value that a get returned -> its epoch
 * @property {Map<string, any>} perDir  what was read once per build output
 * @property {Map<string | undefined, Build>} builds   the same, for what each get asks
 * @property {Set<string>} said      lines that are said once
 * @property {((level: any, line: string) => void) | undefined} log   setLog()'s
 * @property {string | undefined} logLevel   the setting `log` of the store
 * @property {((chosen: boolean) => void) | undefined} hear   tells the addon that this environment wants the log
 * @property {number} offlineUntil   in `next build`: nothing is asked before this clock()
 * @property {Map<string, Promise<void>>} revalidating   calls of this turn of the event loop
 */

/**
 * @typedef {object} Build   what is known of one build output, by its serverDistDir
 * @property {string | undefined} buildId
 * @property {import('./internals').Internals | undefined} next
 * @property {boolean} noted   it was told to the store that it runs, or will be
 */

/*
 * The epochs of values, which nobody sees on them.  A private member, and not a WeakMap: that
 * would cost as much as reading the entry's text does, and each collection of garbage more.
 * What the base class returns is the object that gets the member.
 */
class Given {
  /** @param {object} value */
  constructor(value) {
    return value;
  }
}
class Dated extends Given {
  #epoch;
  /** @param {object} value @param {number} epoch */
  constructor(value, epoch) {
    super(value);
    this.#epoch = epoch;
  }
  /** @param {any} value */
  static of(value) {
    return #epoch in value ? value.#epoch : undefined;
  }
  /** @param {any} value @param {number} epoch */
  static again(value, epoch) {
    value.#epoch = epoch;
  }
}
class Epochs {
  /** @param {object} value @returns {number | undefined} */
  get(value) {
    return Dated.of(value);
  }
  /** @param {object} value @param {number} epoch */
  set(value, epoch) {
    if (Dated.of(value) === undefined) new Dated(value, epoch);
    else Dated.again(value, epoch);
  }
}

/** @returns {State} */
function state() {
  return (globalThis[SYMBOL] ??= {
    store: undefined,
    native: undefined,
    distDir: undefined,
    epochs: new Epochs(),
    perDir: new Map(),
    builds: new Map(),
    said: new Set(),
    log: undefined,
    logLevel: undefined,
    hear: undefined,
    offlineUntil: 0,
    revalidating: new Map(),
  });
}

/** @param {string | undefined} serverDistDir @returns {Build} */
function buildOf(serverDistDir) {
  const { builds } = state();
  let found = builds.get(serverDistDir);
  if (!found) builds.set(serverDistDir, (found = { buildId: undefined, next: undefined, noted: false }));
  return found;
}

/** Forgets everything: for tests. */
function reset() {
  delete globalThis[SYMBOL];
}

/*
 * ms of a clock that only goes forward, the core's (CLOCK_MONOTONIC).  It takes as long as Date.now(), 45 ns.
 * Not performance.now(), which is no faster: the first use of `performance` makes Node.js load what belongs to
 * it, which costs a millisecond and most of a megabyte; nor hrtime.bigint(), which makes an object.
 */
function clock() {
  const [seconds, ns] = process.hrtime();
  return seconds * 1e3 + ns / 1e6;
}

/** @param {string} line */
function sayOnce(line) {
  require('./log.js').sayOnce(line);
}

/** `next build` and the processes it starts. */
function building() {
  return process.env.NEXT_PHASE === 'phase-production-build';
}

/** Set by a build whose store did not answer when it began, for the processes it starts. */
const OFFLINE = '__LARDER_OFFLINE';

/** A build does not wait for a store that is not there. */
function offline(inBuild = building()) {
  const { offlineUntil } = state();
  return (offlineUntil > 0 && offlineUntil > clock()) || (inBuild && process.env[OFFLINE] === '1');
}

/** Pending writes may end within this after the process was told to exit. */
const EXIT_DRAIN_MS = 1000;

/*
 * The store, opened by the first request that needs it.  Never throws: where there is no addon
 * for the platform, or the configuration is wrong, that is said once and everything is a miss.
 */
/** @returns {import('./native').Store | null} */
function store() {
  const s = state();
  if (s.store !== undefined) return s.store;
  s.store = null;
  try {
    const native = s.native ?? require('./native.js');
    if (native.load()) {
      const settings = require('./settings.js').settings(s.distDir);
      s.logLevel = process.env.LARDER_LOG || settings.findLast(([name]) => name === 'log')?.[1];
      s.store = native.open(settings);
      if (!process[SYMBOL]) {
        process[SYMBOL] = true;
        // Next.js answers SIGTERM and SIGINT itself and then calls process.exit(): this is the
        // last moment, and only something that blocks can still be waited for.
        process.on('exit', () => {
          try {
            state().store?.drain(EXIT_DRAIN_MS);
          } catch {}
        });
      }
    }
  } catch (error) {
    sayOnce(`${error?.message ?? error}; Next.js runs without a cache`);
  }
  return s.store;
}

/** The greatest epoch known, without opening anything. */
function known() {
  const s = globalThis[SYMBOL]?.store;
  return s ? s.known() : 0;
}

module.exports = {
  state,
  buildOf,
  reset,
  clock,
  sayOnce,
  building,
  offline,
  store,
  known,
  SYMBOL,
  OFFLINE,
};
