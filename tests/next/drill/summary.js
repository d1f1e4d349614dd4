'use strict';
/* From what was recorded to what is kept: a row for each second, a row for each kind of fault, and what was checked. */
const { phaseAt } = require('./plan.js');

const quantile = (sorted, q) => (sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] : 0);
const round = (x) => Math.round(x * 10) / 10;
const ascending = (a, b) => a - b;

function latencies(records) {
  const ms = records.map((r) => r.ms).sort(ascending);
  return { p50: round(quantile(ms, 0.5)), p99: round(quantile(ms, 0.99)), max: round(ms.at(-1) ?? 0) };
}

/** One number for each second, in arrays: small, and easy to plot. */
function series(records, probes, seconds) {
  const rows = Array.from({ length: Math.ceil(seconds) }, () => ({ records: [], probes: [] }));
  for (const r of records) rows[Math.floor(r.at)]?.records.push(r);
  for (const r of probes) rows[Math.floor(r.at)]?.probes.push(r);
  const all = rows.map((row) => latencies(row.records));
  return {
    requests: rows.map((row) => row.records.length),
    hits: rows.map((row) => row.records.filter((r) => r.cache === 'HIT').length),
    p50: all.map((l) => l.p50),
    p99: all.map((l) => l.p99),
    max: all.map((l) => l.max),
    render: rows.map((row) => latencies(row.probes).max),
  };
}

/** For each fault, and for none: each server's requests. */
function byPhase(records, probes, plan, names) {
  const label = (r) => phaseAt(plan, r.at)?.name ?? 'none';
  const rows = ['none', ...plan.phases.map((p) => p.name)].map((name) => {
    const of = records.filter((r) => label(r) === name);
    const servers = names.map((server, i) => {
      const mine = of.filter((r) => r.server === i);
      const share = mine.length ? mine.filter((r) => r.cache === 'HIT' || r.cache === 'STALE').length / mine.length : 0;
      return { server, requests: mine.length, served: round(share * 100), ...latencies(mine) };
    });
    return { name, servers, render: latencies(probes.filter((r) => label(r) === name)).p50 };
  });
  return rows;
}

/*
 * How long a request may take: each read of the cache its deadline; one write, for which Next.js waits
 * before it answers with what it has rendered; and the render, TIMES as long as the slowest one that went past
 * the cache within NEAR_S of it, since all of them share the machine with the load.
 */
const NEAR_S = 3;
const TIMES = 3;
const SLACK_MS = 1000;
function limitOf(record, probes, { readMs, writeMs }) {
  let render = 0;
  for (const p of probes) {
    const near = p.at <= record.at + record.ms / 1000 + NEAR_S && p.at + p.ms / 1000 >= record.at - NEAR_S;
    if (near && p.ms > render) render = p.ms;
  }
  return record.reads * readMs + writeMs + TIMES * render + SLACK_MS;
}
const RULE = `reads x get-deadline + write-deadline + ${TIMES} x the slowest render past the cache within ${NEAR_S} s + ${SLACK_MS} ms`;

/** @returns {{ name: string, ok: boolean, detail: string[] }[]} */
function checks({ records, probes, revalidations, wrong, recoveries, deadlines, hangMs }) {
  const all = [...records, ...revalidations];
  const how = (r) => r.error ?? `${r.status} ${r.cache} after ${Math.round(r.ms)} ms`;
  const say = (r) => `${r.at.toFixed(1)} s, server ${r.server}: ${r.url}: ${how(r)}`;
  const list = (name, bad) => ({ name, ok: bad.length === 0, detail: bad.slice(0, 20) });
  const slow = hangMs
    ? records.filter((r) => r.ms > hangMs)
    : records.filter((r) => r.ms > limitOf(r, probes, deadlines));
  return [
    list('no request failed or was answered with a 500', all.filter((r) => r.error || r.status >= 500).map(say)),
    list('no answer was wrong', wrong),
    list(hangMs ? 'no request hung' : `no request took longer than ${RULE}`, slow.map(say)),
    list(
      'after each cycle the breakers closed and the journals emptied',
      recoveries.filter((r) => r.ms.includes(Infinity)).map((r) => `at ${Math.round(r.at)} s`),
    ),
    list(
      'then each page was a HIT by its second request, and showed every revalidation',
      recoveries.flatMap((r) => r.wrong.map((w) => `${Math.round(r.at)} s: ${w}`)),
    ),
    list('there was load, and there were faults', records.length > 100 && recoveries.length > 0 ? [] : [`${records.length} requests`]),
  ];
}

module.exports = { series, byPhase, checks, RULE };
