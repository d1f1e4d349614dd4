'use strict';
/*
 * The class behind `cacheHandler`: what Next.js 14, 15 and 16 ask, as requests to the store, and
 * the store's answers as what that version understands.
 */
const fs = require('node:fs');
const path = require('node:path');
const { state, store, known, buildOf, sayOnce, building, offline, clock } = require('./state.js');
const { encode, decode } = require('./entry.js');
const { Notes, MAX_RENDER_MS } = require('./notes.js');
const { internals } = require('./internals.js');
const answer = require('./answer.js');
const { FOREVER_S } = answer;

/*
 * What a hit does not need is loaded where it is first used: the first page of a process waits for
 * all that is loaded here.
 */
const seeds = () => require('./seeds.js');
const build = () => require('./build.js');

const KIND = { PAGE: 1, FETCH: 2, IMAGE: 3 };
const RENDER = 16;
/** Of one handler, which lives for a request as a rule. */
const MAX_FRESH = 1000;
const FRESH = 1;
const STALE = 2;
const MISS = 0;
/** An error class: LARDER_DEADLINE. */
const DEADLINE = -3;
/** No tags. @type {string[]} */
const NONE = [];
/** In `next build`, after a failure: the store is asked again no sooner. */
const BUILD_PAUSE_MS = 10_000;
/** What a set answers by that does not wait for the store any more. */
const UNDER_WAY = { status: 0 };
/** After the first request of a process. */
const NOTE_BUILD_MS = 1000;

/** Next.js 14 says kindHint, and calls pages and routes "app" and "pages". */
function kindOf(ctx) {
  const kind = ctx?.kind ?? ctx?.kindHint;
  if (kind === 'FETCH' || kind === 'fetch' || ctx?.fetchCache === true) return KIND.FETCH;
  return kind === 'IMAGE' ? KIND.IMAGE : KIND.PAGE;
}

function strings(list) {
  return Array.isArray(list) ? list.filter((tag) => typeof tag === 'string' && tag !== '') : [];
}

/*
 * The tags of an entry.  Pages of the app router have them in a header, not in ctx (so far); pages
 * of the pages router have none, and get the tag that revalidatePath() gives to their path.
 */
/** @param {any} value @param {string} key @param {any} [ctx] @returns {string[]} */
function tagsOf(value, key, ctx) {
  const tags = new Set([...answer.headerTags(value), ...strings(ctx?.tags), ...strings(value?.tags)]);
  const kind = value?.kind;
  const appRouter =
    kind === 'APP_PAGE' || kind === 'APP_ROUTE' || kind === 'ROUTE' || kind === 'FETCH' || kind === 'IMAGE';
  if (!appRouter && ![...tags].some((tag) => tag.startsWith(answer.IMPLICIT))) {
    const { routeOf, pathOf } = seeds();
    const route = routeOf(pathOf(key) ?? key);
    tags.add(answer.IMPLICIT + route);
    if (route === '/') tags.add(`${answer.IMPLICIT}/index`);
    if (route === '/index') tags.add(`${answer.IMPLICIT}/`);
  }
  return [...tags];
}

/** Seconds of Next.js -> ms of the store; false and "for ever": Infinity; not given: NaN. */
function lifeMs(seconds) {
  if (seconds === false) return Infinity;
  if (typeof seconds !== 'number' || Number.isNaN(seconds)) return NaN;
  return seconds >= FOREVER_S ? Infinity : Math.max(0, seconds * 1000);
}

/** The build id of an output folder; read once it is there. */
/** @param {string | undefined} serverDistDir @param {boolean} dev */
function buildId(serverDistDir, dev) {
  if (dev) return 'development';
  if (!serverDistDir) return '';
  const about = buildOf(serverDistDir);
  if (about.buildId === undefined) {
    try {
      about.buildId = fs.readFileSync(path.join(serverDistDir, '..', 'BUILD_ID'), 'utf8').trim();
    } catch {
      return '';
    }
  }
  return about.buildId;
}

/*
 * `larder prune` must know which builds run.  Not at once: the first request does not wait for it, nor does a
 * process that ends soon write anything.
 */
/** @param {import('./native').Store} s @param {import('./state').Build} about */
function noteBuild(s, about) {
  about.noted = true;
  const { buildId: id } = about;
  if (id) setTimeout(() => s.noteBuild(id).catch(() => {}), NOTE_BUILD_MS).unref();
}

/*
 * The static part of a page that is rendered to its end for each request.  Its RSC data is static
 * as well, and Next.js would send it as if it were all; its own handler gives none from disk.
 */
function isShell(value, ctx) {
  return Boolean(
    ctx.isFallback || (ctx.isRoutePPREnabled && value.postponed !== undefined && value.postponed !== null),
  );
}

/**
 * A put's answer, or after so long that it is under way: it goes on, and the core says what fails.
 * @param {Promise<{ status: number }>} put
 * @param {number} [ms]
 */
async function patiently(put, ms) {
  if (ms === undefined) return put;
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, ms, UNDER_WAY);
  });
  try {
    return await Promise.race([put, late]);
  } finally {
    clearTimeout(timer);
  }
}

class LarderHandler {
  /*
   * Next.js constructs two or three of these a request, so this does next to nothing.  What it
   * keeps is what a rendering without a get (on-demand revalidation) is dated by: the instance is
   * older than the rendering.
   */
  /** @param {any} [ctx] */
  constructor(ctx) {
    this.serverDistDir = ctx?.serverDistDir;
    this.headers = ctx?._requestHeaders;
    this.dev = Boolean(ctx?.dev);
    this.ppr = Boolean(ctx?.experimental?.ppr);
    this.born = clock();
    this.bornEpoch = known();
    /** @type {Notes | undefined} */
    this.notes = undefined;
    /** Epochs of null values this instance returned: they have no identity. @type {Map<string, number> | undefined} */
    this.nulls = undefined;
    if (this.serverDistDir) {
      // Next.js knows better than withLarder() could.
      if (state().store === undefined) state().distDir = path.dirname(this.serverDistDir);
      if (building()) build().recordInWorker(this.serverDistDir);
    }
  }

  /** By the key alone: where two kinds have one, each takes the smaller epoch, which is safe. */
  /** @param {number} kind @param {string} key @param {number} epoch */
  #note(kind, key, epoch) {
    this.notes ??= new Notes();
    this.notes.add(key, epoch, Date.now(), kind === KIND.IMAGE);
  }

  /** @param {number} kind @param {string} key @param {any} value */
  #epochFor(kind, key, value) {
    const note = this.notes?.take(key);
    const time = Date.now();
    if (value !== null && typeof value === 'object') {
      // Not a new rendering: Next.js stores again what it had, after a revalidation that threw.
      const kept = state().epochs.get(value);
      if (kept !== undefined) return { epoch: kept, time };
    }
    let epoch = note?.epoch;
    if (epoch === undefined) epoch = clock() - this.born > MAX_RENDER_MS ? 0 : this.bornEpoch;
    if (value === null) {
      const kept = this.nulls?.get(key);
      if (kept !== undefined) epoch = Math.min(epoch, kept);
    }
    return { epoch, time: note?.time ?? time, noted: note !== undefined };
  }

  /**
   * Never throws, which would be a 500, and never waits longer than the store's deadline.
   * @param {string} key
   * @param {any} [ctx]
   */
  async get(key, ctx) {
    try {
      key = String(key);
      const kind = kindOf(ctx);
      const tags = ctx?.tags || ctx?.softTags ? [...strings(ctx.tags), ...strings(ctx.softTags)] : NONE;
      // Before all else: the environment is not read for a hit, which takes as long as finding it.
      const memory = state().store?.kept;
      const kept = memory?.find(kind, buildId(this.serverDistDir, this.dev), key, tags);
      if (kept) {
        this.#note(kind, key, kept.got.known);
        this.#remember(kind, key, kept.got);
        return this.#answer(kind, key, ctx ?? {}, tags, kept.value, kept.got);
      }
      const inBuild = building();
      // The build writes its pages itself.
      if (kind === KIND.PAGE && inBuild) return null;
      const s = offline(inBuild) ? null : store();
      if (!s) return null;
      const id = buildId(this.serverDistDir, this.dev);
      const about = buildOf(this.serverDistDir);
      if (!about.noted && !inBuild) noteBuild(s, about);
      const token = s.kept?.token();
      const said = await s.get(kind, id, key, tags.length ? tags : null, RENDER);
      const got = answer.servable(said);
      this.#note(kind, key, got.known);
      if (got.verdict < 0) this.#failed();

      this.#remember(kind, key, got);
      if (got.verdict === FRESH || got.verdict === STALE) {
        const value = decode(got.meta, got.parts);
        const own = token === undefined ? value : s.kept.keep(kind, id, key, tags, token, said, value);
        return this.#answer(kind, key, ctx ?? {}, tags, own, got);
      }
      // After a deadline there is no time left to ask about tags.
      const seeded = got.verdict === MISS || (got.verdict < 0 && got.verdict !== DEADLINE);
      if (kind === KIND.PAGE && !this.dev && seeded) return await this.#seed(s, key, ctx ?? {});
      return null;
    } catch (error) {
      sayOnce(`an entry cannot be read and is a miss: ${error?.message ?? error}`);
      return null;
    }
  }

  /*
   * Which pages were answered as fresh: Next.js renders them again only on demand (`res.revalidate()`), and
   * then no mark and no time tells other processes that what they have in memory is replaced.
   */
  #remember(kind, key, got) {
    if (kind !== KIND.PAGE) return;
    const due = got.modified + got.revalidate < Date.now();
    if (got.verdict !== FRESH || due) {
      this.fresh?.delete(key);
      return;
    }
    this.fresh ??= new Set();
    if (this.fresh.size >= MAX_FRESH) this.fresh.clear();
    this.fresh.add(key);
  }

  #answer(kind, key, ctx, tags, value, got) {
    if (value?.kind === 'APP_PAGE' && value.rscData !== undefined && isShell(value, ctx))
      value.rscData = undefined;
    if (value === null) {
      // Stored again it would keep its epoch, and so be stale for ever; so it is rendered first.
      if (got.verdict === STALE || kind !== KIND.PAGE) return null;
      this.nulls ??= new Map();
      this.nulls.set(key, got.epoch);
    } else {
      state().epochs.set(value, got.epoch);
    }
    const next = internals(this.serverDistDir);
    // Another kind than was asked for makes Next.js throw.
    switch (kind) {
      case KIND.FETCH:
        return value.kind === 'FETCH' ? answer.fetched(next, value, got, ctx, tags) : null;
      case KIND.IMAGE:
        return value.kind === 'IMAGE' ? answer.image(value, got) : null;
      default:
        return value?.kind === 'FETCH' || value?.kind === 'IMAGE' ? null : answer.page(next, key, value, got);
    }
  }

  /** What this build prerendered for the key, if no revalidation made it useless since. */
  async #seed(s, key, ctx) {
    if (!this.serverDistDir) return null;
    const found = await seeds().seed(this.serverDistDir, key, ctx, tagsOf, this.ppr);
    if (!found) return null;
    const epoch = await build().epochOf(s, path.dirname(this.serverDistDir), found.modified);
    const { verdict } = await s.check(found.tags, epoch);
    if (verdict !== FRESH && verdict !== STALE) return null;
    const got = {
      verdict,
      epoch,
      modified: found.modified,
      revalidate: lifeMs(found.revalidate),
      expire: lifeMs(found.expire),
    };
    this.#put(s, {
      kind: KIND.PAGE,
      key,
      value: found.value,
      tags: found.tags,
      ...got,
      ifAbsent: true,
    }).catch(() => {});
    return this.#answer(KIND.PAGE, key, ctx, [], found.value, got);
  }

  /**
   * @param {string} key
   * @param {any} data
   * @param {any} [ctx]
   */
  async set(key, data, ctx) {
    try {
      key = String(key);
      const kind = data?.kind === 'FETCH' ? KIND.FETCH : data?.kind === 'IMAGE' ? KIND.IMAGE : kindOf(ctx);
      const { epoch, time, noted } = this.#epochFor(kind, key, data);
      if (kind === KIND.PAGE && building()) return;
      const s = this.#store();
      if (!s) return;
      const life = ctx?.cacheControl ?? { revalidate: ctx?.revalidate, expire: undefined };
      const tags = tagsOf(data, key, ctx);
      const tell = kind === KIND.PAGE && (noted === false || Boolean(this.fresh?.delete(key)) || this.#isOnDemand());
      const put = this.#put(s, {
        kind,
        key,
        value: data ?? null,
        tags,
        epoch,
        modified: time,
        revalidate: lifeMs(kind === KIND.FETCH ? data?.revalidate : life.revalidate),
        expire: lifeMs(life.expire),
        tell,
      });
      // Next.js answers no request before this does. In this process what is put is there already.
      const { status } = await (tell || building() ? put : patiently(put, s.setWaitMs));
      if (status >= 0) return;
      this.#failed();
      // What it was to replace is still there, and nothing else says that it is old: a mark does, which is not lost.
      if (tell) await this.revalidateTag(tags.findLast((tag) => tag.startsWith(answer.IMPLICIT)) ?? []);
    } catch (error) {
      sayOnce(`an entry cannot be stored: ${error?.message ?? error}`);
    }
  }

  /* Where the get before it failed, nothing else says that a page is replaced which may be fresh. */
  #isOnDemand() {
    if (!this.serverDistDir || this.headers?.['x-prerender-revalidate'] === undefined) return false;
    return seeds().isOnDemand(path.dirname(this.serverDistDir), this.headers);
  }

  /** @param {import('./native').Store} s @param {any} entry */
  #put(s, { kind, key, value, tags, epoch, modified, revalidate: revalidateMs, expire, ifAbsent, tell }) {
    const { meta, parts, names } = encode(value);
    return s.put({
      key,
      build: buildId(this.serverDistDir, this.dev),
      kind,
      epoch,
      modified,
      revalidate: revalidateMs,
      expire,
      tags,
      meta,
      parts,
      names,
      ifAbsent,
      tell,
    });
  }

  #store() {
    return offline() ? null : store();
  }

  /** The core says what fails. */
  #failed() {
    // A build asks hundreds of times, each to its deadline, for a store that it does not need.
    if (building()) state().offlineUntil = clock() + BUILD_PAUSE_MS;
  }

  /**
   * @param {string | string[]} tags
   * @param {{ expire?: number }} [durations]
   */
  async revalidateTag(tags, durations) {
    try {
      await require('./revalidate.js').revalidate(tags, durations);
    } catch {}
  }

  /** Nothing is kept per request. */
  resetRequestCache() {}
}

module.exports = { LarderHandler, tagsOf, kindOf, lifeMs };
