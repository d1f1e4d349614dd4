#!/usr/bin/env node
/*
 * Drives the built example over HTTP: two servers, A and B, on one store that no server used yet.
 * Prints a line for each check and "N passed, N failed"; exits 0 if none failed, else 1.
 *
 * Every entry carries a lot number: the same lot is the same entry, wherever it was asked for.
 * So each check compares lots, and where Next.js sends it, the header x-nextjs-cache.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { KINDS, actions } from './lib/kinds.js';
import { headersOf, lotOf, stampOf, verdict } from './lib/read.js';
import { Servers, freePorts, pause } from './servers.mjs';

const { values } = parseArgs({ options: { port: { type: 'string' }, dir: { type: 'string' }, store: { type: 'string' },
  tags: { type: 'string' }, help: { type: 'boolean' } } });
if (values.help || !values.dir) {
  console.log('usage: node check.mjs --dir DIR [--store URL [--tags URL]] [--port N]\n\n' +
    '--dir DIR    with the store in DIR/store, as `next build` left it: built with LARDER_CACHE=fs:DIR/store\n' +
    '             while there was nothing in it (script/demo --check does that).  Gets the logs\n' +
    '--store URL  another store, which the build saw as LARDER_CACHE\n' +
    '--tags URL   another one for the tags, which it saw as LARDER_TAGS\n' +
    '--port N     the first port to try (any free ones)');
  process.exit(values.help ? 0 : 2);
}

const REQUEST_MS = 20_000;
/** A revalidation must be seen, and a background refresh done, by then. */
const CHANGE_MS = 15_000;
/** Next.js stores an entry after it has answered: as long as that may take on a busy machine. */
const QUIET_MS = 400;

/**
 * Next.js answers before the revalidation that it was asked for is done.  A store that cannot do it in one
 * step takes two, and what is rendered between them is rendered once more (docs/semantics.md): so nobody
 * looks before both are over.
 */
const SETTLE_MS = /^(dynamodb|memcached):/.test(values.tags ?? values.store ?? '') ? 1000 : 0;

/**
 * Where single marks may be lost, a page is judged by marks that its first request makes.  So what the build
 * rendered and nobody has asked for yet is rendered anew once anything was revalidated.
 */
const LOSSY = /^memcached:/.test(values.tags ?? values.store ?? '');

const [portA, portB, originPort] = await freePorts(3, Number(values.port ?? 0));
const servers = new Servers({ ports: [portA, portB], originPort, logs: values.dir,
  store: values.store ?? `fs:${join(values.dir, 'store')}`, tags: values.tags });

/* ---- telling ------------------------------------------------------------------------------- */

let passed = 0;
let failed = 0;

function check(what, holds, seen) {
  if (holds) passed += 1;
  else failed += 1;
  console.log(holds ? `ok    ${what}` : `FAIL  ${what}\n      got ${seen}`);
}

const told = (...answers) => answers.map((a) => `${a.server}: ${a.verdict} lot ${a.lot} by ${a.stamp?.by ?? '?'}`).join('; ');

/* ---- asking -------------------------------------------------------------------------------- */

async function ask(server, path) {
  const headers = path.startsWith('/_next/image') ? { accept: 'image/webp' } : {};
  const response = await fetch(servers.base(server) + path, { headers, signal: AbortSignal.timeout(REQUEST_MS) });
  const seen = { server, path, ...headersOf(response), stamp: await stampOf(response) };
  if (!response.bodyUsed) await response.arrayBuffer();
  if (!response.ok) throw new Error(`${server}${path} answered ${response.status}`);
  return { ...seen, verdict: verdict(seen), lot: seen.stamp?.lot ?? lotOf(seen.etag) };
}

async function press(server, { to, body }) {
  const response = await fetch(servers.base(server) + to, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(REQUEST_MS),
  });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`${server}${to} answered ${response.status}`);
  await pause(SETTLE_MS);
}

/**
 * Asks until another entry is served, and gives all answers.  After a press this takes a moment:
 * Next.js answers a route handler's client before the revalidation that it asked for is done.
 */
async function untilNew(server, path, old) {
  const answers = [];
  const deadline = Date.now() + CHANGE_MS;
  do {
    answers.push(await ask(server, path));
    if (answers.at(-1).lot !== old) break;
    await pause(50);
  } while (Date.now() < deadline);
  return answers;
}

async function originCount() {
  const response = await fetch(`http://127.0.0.1:${originPort}/count`, { signal: AbortSignal.timeout(REQUEST_MS) });
  return (await response.json()).asked;
}

async function stats(server) {
  const response = await fetch(`${servers.base(server)}/api/stats`, { signal: AbortSignal.timeout(REQUEST_MS) });
  return new Map((await response.json()).map((one) => [one.name, one]));
}

const made = (answer) => ['MISS', 'REVALIDATED'].includes(answer.verdict);
const hit = (answer, lot) => answer.verdict === 'HIT' && answer.lot === lot;

/* ---- what is checked of each kind ---------------------------------------------------------- */

/** What the build rendered is served as it is; only its lifetime may be over. */
async function builtPage(name, path, lifetime) {
  const first = await ask('A', path);
  const second = await ask('B', path);
  const old = lifetime !== false && Date.now() - first.stamp.at > lifetime * 1000;
  check(`${name}: the page of the build is served at once, a ${old ? 'STALE' : 'HIT'}`,
    first.stamp.by === 'next build' && first.verdict === (old ? 'STALE' : 'HIT'), told(first));
  check(`${name}: the second process serves it too`, ['HIT', 'STALE'].includes(second.verdict), told(second));
  // Past its lifetime the first request had a new one made, which the second may already get.
  check(`${name}: ... the same one, or a newer one of the first process`,
    second.lot === first.lot || (old && second.stamp.by === 'A'), told(first, second));
}

async function missThenHit(name, path) {
  const first = await ask('A', path);
  await pause(QUIET_MS);
  const second = await ask('A', path);
  const other = await ask('B', path);
  check(`${name}: MISS, then HIT`, made(first) && hit(second, first.lot), told(first, second));
  check(`${name}: HIT at the first request of the second process`, hit(other, first.lot), told(first, other));
}

/** Presses a button on one server that makes entries gone: the next that the other serves is a new one. */
async function gone(kind, action, on, other) {
  const before = await ask(other, kind.ask);
  await press(on, action);
  const after = (await untilNew(other, kind.ask, before.lot)).at(-1);
  await pause(QUIET_MS);
  const again = await ask(on, kind.ask);
  check(`${kind.title}: ${action.label} on ${on}: gone on ${other}`, made(after) && after.lot !== before.lot, told(before, after));
  check(`${kind.title}: ... and what ${other} made is a HIT on ${on}`, hit(again, after.lot), told(after, again));
}

/** ... that makes them stale: the old one is served once more, and replaced behind it; nobody waits. */
async function stale(kind, action, on, other) {
  const before = await ask(other, kind.ask);
  await press(on, action);
  const answers = await untilNew(other, kind.ask, before.lot);
  const old = answers.findLast((answer) => answer.lot === before.lot);
  const next = answers.at(-1);
  await pause(QUIET_MS);
  const again = await ask(on, kind.ask);
  // Where only data is cached there is no header to say STALE: that the old lot came again says it.
  const expected = kind.inner ? 'HIT' : 'STALE';
  check(`${kind.title}: ${action.label} on ${on}: the old one is served on ${other} as ${expected}`,
    answers.some((answer) => answer.lot === before.lot && answer.verdict === expected), told(before, old ?? next));
  check(`${kind.title}: ... and then a new one, which nobody waited for`,
    next.lot !== before.lot && next.verdict === 'HIT', told(before, next));
  check(`${kind.title}: ... the same one on ${on}`, again.lot === next.lot, told(next, again));
}

/** res.revalidate(): rendered before the answer, on the server that was told. */
async function onDemand(kind, action, on, other) {
  const before = await ask(other, kind.ask);
  await press(on, action);
  await pause(QUIET_MS);
  const here = await ask(on, kind.ask);
  const there = await ask(other, kind.ask);
  check(`${kind.title}: ${action.label} on ${on}: a new one on both`,
    here.lot !== before.lot && hit(here, here.lot) && hit(there, here.lot), told(before, here, there));
}

async function buttons(kind) {
  // From each side in turn: neither server is special.
  const sides = [['A', 'B'], ['B', 'A']];
  for (const [i, action] of actions(kind).entries()) {
    const [on, other] = sides[i % 2];
    await ask('A', kind.ask);
    await pause(QUIET_MS);
    if (action.body.profile) await stale(kind, action, on, other);
    else if (action.to === '/api/render') await onDemand(kind, action, on, other);
    else await gone(kind, action, on, other);
  }
}

/** All entries as a new visitor of a server gets them. */
async function takeStock(server) {
  const stock = new Map();
  for (const kind of KINDS) stock.set(kind.id, await ask(server, kind.ask));
  return stock;
}

async function restart(signal) {
  // All made anew first, so that no lifetime ends meanwhile.
  for (const kind of KINDS) {
    const { lot } = await ask('A', kind.ask);
    const action = actions(kind).at(-1);
    if (!action) continue;
    await press('A', action);
    await untilNew('A', kind.ask, lot);
  }
  await pause(QUIET_MS);
  const before = await takeStock('A');
  await servers.stopAll(signal);
  await servers.startAll();
  const after = await takeStock('B');
  for (const kind of KINDS) {
    const [old, now] = [before.get(kind.id), after.get(kind.id)];
    const sameTime = old.stamp?.at === now.stamp?.at;
    // A picture has a lifetime only; where it was over, it is served once more.
    const kept = kind.entry === 'IMAGE' ? ['HIT', 'STALE'].includes(now.verdict) && now.lot === old.lot : hit(now, old.lot);
    check(`${kind.title}: kept over ${signal} and a restart, made when it was made`, kept && sameTime, told(old, now));
  }
}

/** Two pages have one tag.  That the first is gone shows that the mark is in the store. */
async function revalidateThenKill() {
  const [one, other] = ['/posts/fig', '/posts/medlar'];
  const { lot } = await ask('A', one);
  const before = await ask('A', other);
  await pause(QUIET_MS);
  await press('A', actions(KINDS.find(({ id }) => id === 'posts'))[0]);
  await untilNew('A', one, lot);
  await servers.stopAll('SIGKILL');
  await servers.startAll();
  const after = await ask('B', other);
  check('a revalidation outlives both processes, killed right after it', made(after) && after.lot !== before.lot, told(before, after));
}

/** What the panel of the start page shows: both processes, each with its own counters, wherever one looks. */
async function counters() {
  const before = await stats('A');
  await ask('B', '/static');
  const after = await stats('A');
  const [a, b] = ['A', 'B'].map((name) => after.get(name));
  check('The counters of both processes are seen in one',
    a?.stats && b?.stats && a.pid !== b.pid && a.stats.requests && b.stats.instances[0].driver === servers.store.split(':')[0], JSON.stringify([...after.values()]));
  const grown = (name) => after.get(name).stats.hits - before.get(name).stats.hits;
  check('... and a HIT on B is counted by B alone', grown('B') > 0 && grown('A') === 0, `A: ${grown('A')}, B: ${grown('B')}`);
}

/* ---- the run ------------------------------------------------------------------------------- */

async function run() {
  await servers.startAll();
  const built = KINDS.filter((kind) => !kind.inner && kind.entry !== 'IMAGE');
  if (LOSSY) for (const kind of built) await builtPage(kind.title, kind.ask, kind.revalidate);
  for (const kind of KINDS) {
    if (kind.inner) {
      await missThenHit(kind.title, kind.ask);
    } else if (kind.entry === 'IMAGE') {
      await missThenHit(kind.title, kind.ask);
    } else if (!LOSSY) {
      await builtPage(kind.title, kind.ask, kind.revalidate);
    }
    if (kind.id === 'posts') await missThenHit('A slug that was not built', '/posts/fig');
    if (kind.id === 'fetch') {
      const count = await originCount();
      await ask('A', kind.ask);
      await ask('B', kind.ask);
      const now = await originCount();
      check(`${kind.title}: a HIT does not ask the origin`, now === count, `${now - count} more requests there`);
    }
    await buttons(kind);
  }
  await counters();
  await restart('SIGTERM');
  await restart('SIGKILL');
  await revalidateThenKill();
}

async function end(code) {
  await servers.stopAll('SIGKILL');
  process.exit(code);
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => end(130));

try {
  await run();
} catch (error) {
  check('the run reaches its end', false, error.stack);
}
console.log(`${passed} passed, ${failed} failed`);
await end(failed === 0 ? 0 : 1);
