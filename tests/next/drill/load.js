'use strict';
/*
 * The load: a bounded number of requests under way, revalidations beside them, and renders past the cache
 * that tell how long one takes on this machine just now.  Every answer is recorded.
 */
const { sleep } = require('../harness.js');
const { PAGES, REVALIDATIONS } = require('./pages.js');

const WORKERS = 6;
const THINK_MS = 20;
const REVALIDATE_EVERY_MS = 1200;
const PROBE_EVERY_MS = 1000;
/** The defaults of get-deadline and write-deadline; after the second a revalidation that did not reach the
 * store is known to have failed, and kept. */
const READ_DEADLINE_MS = 500;
const WRITE_DEADLINE_MS = 2000;
/** Pages that are asked for only once each: rendered by whoever is asked, whatever the store does. */
const COLD_EVERY = 50;

class Load {
  /** @param {import('../harness.js').Server[]} servers @param {import('../harness.js').Origin} origin */
  constructor(servers, origin) {
    Object.assign(this, { servers, origin, records: [], probes: [], revalidations: [], wrong: [] });
    this.stopped = false;
    this.quiet = false;
    this.cold = 0;
    /** Page -> how many requests for it are under way; and the page for which there may be none. */
    this.busy = new Map();
    this.held = undefined;
    /** What this server was asked to revalidate: key -> [{ n, at }]. */
    this.told = servers.map(() => new Map());
  }

  now() {
    return (performance.now() - this.begin) / 1000;
  }

  /** The least number that server may show of key in an answer to a request that began at `at`. */
  #least(server, key, at) {
    let least = 0;
    for (const told of this.told[server].get(key) ?? [])
      if (told.at + WRITE_DEADLINE_MS / 1000 + 1 < at) least = told.n;
    return least;
  }

  async #request(page, server, headers) {
    const at = this.now();
    const begin = performance.now();
    const record = { at, server, url: page.url, reads: page.reads, status: 0, cache: '', ms: 0 };
    try {
      const answer = await this.servers[server].get(page.url, headers);
      record.status = answer.status;
      record.cache = answer.cache ?? '';
      this.#judge(page, record, answer);
    } catch (error) {
      record.error = error.message;
    }
    record.ms = performance.now() - begin;
    return record;
  }

  #judge(page, record, answer) {
    const id = page.url.split('/').pop();
    const problem = (what) => this.wrong.push(`${record.at.toFixed(1)} s, server ${record.server}: ${page.url}: ${what}`);
    if (record.status !== (page.status ?? 200)) {
      problem(`status ${record.status}`);
      return;
    }
    if (page.key === undefined) return;
    if (answer.field('id') !== undefined && answer.field('id') !== id) problem(`shows ${answer.field('id')}`);
    const least = this.#least(record.server, page.key, record.at);
    const most = this.origin.values.get(page.key) ?? 0;
    if (!(answer.n >= least)) problem(`shows ${answer.n} although this server revalidated ${least}`);
    if (answer.n > most) problem(`shows ${answer.n}, which the origin never said`);
  }

  async #worker(i) {
    for (let n = i; !this.stopped; n++) {
      const server = n % this.servers.length;
      let page = PAGES[Math.floor(Math.random() * PAGES.length)];
      if (n % COLD_EVERY === 0) page = { url: `/post/cold${this.cold++}`, reads: 3 };
      if (page.url !== this.held) {
        this.busy.set(page.url, (this.busy.get(page.url) ?? 0) + 1);
        this.records.push(await this.#request(page, server));
        this.busy.set(page.url, this.busy.get(page.url) - 1);
      }
      await sleep(THINK_MS);
    }
  }

  /*
   * Next.js lets res.revalidate() join a rendering of the page that is under way, which may have read its data
   * before.  So while it is asked for, nobody else asks for that page.
   */
  async #alone(page) {
    this.held = page;
    while (page && this.busy.get(page) > 0 && !this.stopped) await sleep(5);
  }

  async #revalidator() {
    for (let n = 0; !this.stopped; n++) {
      await sleep(REVALIDATE_EVERY_MS);
      if (this.quiet || this.stopped) continue;
      const { url, keys, alone } = REVALIDATIONS[n % REVALIDATIONS.length];
      const server = n % this.servers.length;
      await this.#alone(alone);
      const values = keys.map((key) => this.origin.bump(key));
      const record = await this.#request({ url, reads: 0 }, server);
      this.held = undefined;
      this.revalidations.push(record);
      if (record.status !== 200) continue;
      keys.forEach((key, i) => {
        const list = this.told[server].get(key) ?? [];
        list.push({ n: values[i], at: this.now() });
        this.told[server].set(key, list);
      });
    }
  }

  /* Draft mode goes past the cache: what a render alone takes, under the same load. */
  async #prober(server) {
    const answer = await this.servers[server].get('/api/draft');
    const cookie = answer.headers['set-cookie'].map((c) => c.split(';')[0]).join('; ');
    for (let n = 0; !this.stopped; n++) {
      const url = n % 2 ? '/isr' : '/big/probe';
      this.probes.push(await this.#request({ url, reads: 0 }, server, { cookie }));
      await sleep(PROBE_EVERY_MS);
    }
  }

  start() {
    this.begin = performance.now();
    const all = [this.#revalidator()];
    for (let i = 0; i < WORKERS; i++) all.push(this.#worker(i));
    for (let i = 0; i < this.servers.length; i++) all.push(this.#prober(i));
    this.ended = Promise.all(all);
  }

  async stop() {
    this.stopped = true;
    await this.ended;
  }
}

module.exports = { Load, WORKERS, READ_DEADLINE_MS, WRITE_DEADLINE_MS };
