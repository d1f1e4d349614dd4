'use strict';
/*
 * What counts as flat.  Memory: the least of each minute - what is not garbage waiting to be collected - over the
 * last three quarters of the run, and a straight line through these.  It rises if it does by more than
 * LIMIT_MB_PER_H beyond what chance explains: the slope less twice its standard error.  Everything else
 * is counted while the process rests, and must not become more.
 */
const WINDOW_S = 60;
const WARM_UP = 0.25;
const LIMIT_MB_PER_H = 30;

/** Of { x, y }, by least squares. */
function line(points) {
  const sum = (of) => points.reduce((total, p) => total + of(p), 0);
  const x = sum((p) => p.x) / points.length;
  const y = sum((p) => p.y) / points.length;
  const spread = sum((p) => (p.x - x) ** 2);
  const slope = sum((p) => (p.x - x) * (p.y - y)) / spread;
  const rest = sum((p) => (p.y - y - slope * (p.x - x)) ** 2);
  return { slope, error: Math.sqrt(rest / Math.max(1, points.length - 2) / spread) };
}

/** MB per hour; of whole minutes, since the least of a part of one is no measure. */
function growth(samples, what) {
  const end = Math.max(...samples.map((s) => s.t));
  const windows = new Map();
  for (const s of samples) {
    const key = Math.floor(s.t / WINDOW_S);
    if (key * WINDOW_S < end * WARM_UP || (key + 1) * WINDOW_S > end) continue;
    windows.set(key, Math.min(windows.get(key) ?? Infinity, s[what]));
  }
  return line([...windows].map(([key, y]) => ({ x: (key * WINDOW_S) / 3600, y })));
}

/*
 * What leaks is more at each rest.  So the least of the last third is set beside the greatest of the first, the warm-up
 * aside; SPARE is for what is opened or set when it is first needed: a lane's lock, a timer that gives memory back.
 */
const SPARE = 4;
function constant(rests, what, name) {
  const warm = rests.slice(Math.floor(rests.length * WARM_UP));
  const third = Math.ceil(warm.length / 3);
  const first = Math.max(...warm.slice(0, third).map((r) => r[what]));
  const last = Math.min(...warm.slice(-third).map((r) => r[what]));
  return { name, ok: last <= first + SPARE, detail: `at most ${first} at first, at least ${last} at last` };
}

/** @param {boolean} short  too short for a line through its memory */
function checks(samples, rests, short) {
  const slopes = short ? {} : { rss: growth([...samples, ...rests], 'rss'), private: growth([...samples, ...rests], 'private') };
  const names = { rss: 'resident', private: 'private' };
  const list = Object.entries(slopes).map(([what, { slope, error }]) => ({
    name: `${names[what]} memory does not grow`,
    ok: slope - 2 * error <= LIMIT_MB_PER_H,
    detail: `${slope.toFixed(1)} MB an hour, give or take ${(2 * error).toFixed(1)}`,
  }));
  list.push(
    constant(rests, 'descriptors', 'descriptors at rest'),
    constant(rests, 'threads', 'threads at rest'),
    constant(rests, 'timers', 'timers at rest'),
    {
      name: 'values that were handed over uncopied, at rest',
      ok: rests.every((r) => r.externals === 0),
      detail: `${Math.max(...rests.map((r) => r.externals))} left`,
    },
    {
      name: 'revalidations that wait, at rest',
      ok: rests.every((r) => r.journal === 0),
      detail: `${Math.max(...rests.map((r) => r.journal))} left`,
    },
    {
      name: 'there was load',
      ok: samples.at(-1).operations > 1000,
      detail: `${samples.at(-1).operations} operations`,
    },
  );
  return { slopes, checks: list };
}

module.exports = { checks, LIMIT_MB_PER_H };
