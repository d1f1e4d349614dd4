'use strict';
/* After the last fault: nothing is restarted, and everything must be as if nothing had been. */
const { sleep } = require('../harness.js');
const { PAGES } = require('./pages.js');

const LOOK_MS = 400;
/** What is set after an answer is there soon after; the load goes on meanwhile. */
const STORED_MS = 300;

async function statsOf(server) {
  return JSON.parse((await server.get('/api/stats')).body);
}

const isWell = (stats) => stats.instances.every((i) => i.breaker === 'closed') && stats.journalPending === 0;
/** Gets that had to do without the store: also where it had asked for fewer calls, and is called slowly. */
const without = (stats) => stats.getErrors + stats.outageServed;

/*
 * Until the breaker is closed, the journal empty, and between two looks no get had to do without the store;
 * answers the ms it took, or Infinity.
 */
async function untilWell(server, limitMs) {
  const begin = performance.now();
  let before = await statsOf(server);
  for (;;) {
    const ms = performance.now() - begin;
    await sleep(LOOK_MS);
    const stats = await statsOf(server);
    if (isWell(stats) && without(stats) === without(before)) return ms;
    if (ms > limitMs) return Infinity;
    before = stats;
  }
}

/** What is wrong with a page in one server: it must be a HIT by its second request, and up to date. */
async function lookAt(page, server, origin) {
  const needed = origin.values.get(page.key) ?? 0;
  let answer;
  for (let i = 0; i < 2; i++) {
    if (i > 0) await sleep(STORED_MS);
    answer = await server.get(page.url);
    if (answer.cache === 'HIT') break;
  }
  if (answer.status !== (page.status ?? 200)) return `${page.url}: status ${answer.status}`;
  if (page.key !== undefined && answer.n !== needed) return `${page.url}: shows ${answer.n}, not ${needed}`;
  if (!page.dynamic && !page.due && answer.cache !== 'HIT') return `${page.url}: ${answer.cache} by its second request`;
  return undefined;
}

/** @param {import('./load.js').Load} load */
async function recovery(load, limitMs) {
  const { servers, origin } = load;
  const ms = await Promise.all(servers.map((server) => untilWell(server, limitMs)));
  const wrong = [];
  for (const page of PAGES)
    for (let i = 0; i < servers.length; i++) {
      const problem = await lookAt(page, servers[i], origin);
      if (problem) wrong.push(`server ${i}: ${problem}`);
    }
  return { at: load.now(), ms, wrong };
}

module.exports = { recovery, statsOf };
