/*
 * From what a store has counted to what it did lately.  Counters only grow, so the difference of two
 * readings is what happened between them.
 */
const GETS = ['get-memory', 'get-store', 'get-nothing'];

const total = (stats, what) => GETS.reduce((sum, name) => sum + stats.requests[name][what], 0);

/** What happened from one reading to the next; null where there is no telling: another process counts. */
export function between(before, now) {
  if (!before?.stats || !now?.stats || before.pid !== now.pid || now.stats.upMs < before.stats.upMs) return null;
  const grown = (name) => now.stats[name] - before.stats[name];
  const gets = grown('gets');
  return {
    gets,
    hits: grown('hits'),
    stale: grown('stale'),
    misses: grown('misses') + grown('gone') + grown('getErrors'),
    // Of the gets in between, in ms; null where there were none.
    mean: gets > 0 ? (total(now.stats, 'sumMs') - total(before.stats, 'sumMs')) / gets : null,
  };
}

export const ratio = (part, whole) => (whole > 0 ? `${((100 * part) / whole).toFixed(whole < 10 || part === whole ? 0 : 1)} %` : '–');

/** 640 ns, 21 µs, 3.2 ms, 1.4 s. */
export function took(ms) {
  if (!(ms > 0)) return '–';
  const three = (value, unit) => `${value >= 99.5 ? Math.round(value) : value.toPrecision(2)} ${unit}`;
  if (ms < 0.001) return `${Math.round(ms * 1e6)} ns`;
  if (ms < 0.9995) return three(ms * 1000, 'µs');
  return ms < 999.5 ? three(ms, 'ms') : three(ms / 1000, 's');
}

export function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(0)} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
