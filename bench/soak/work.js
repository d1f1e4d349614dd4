'use strict';
/* What one client of the soak does, step by step; the same numbers in every run. */
const KEYS = 1500;
const TAGS = 100;
const KB = 1024;
/** Of 100 entries so many are below 1 KB, 16 KB, 128 KB and 1 MB: what a site has. */
const SIZES = [[60, KB], [90, 16 * KB], [99, 128 * KB], [100, 1024 * KB]];
const KIND = { PAGE: 1, FETCH: 2 };
const RENDER = 16;

const bytes = Buffer.alloc(1024 * KB, 'a body of bytes, ');
const latin1 = 'a body of text, '.repeat((1024 * KB) / 16);
const utf16 = '漢字とé '.repeat((256 * KB) / 4);

/** xorshift: not for secrets. */
function random(seed) {
  let x = seed * 2654435761 + 1;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

class Client {
  constructor(store, seed) {
    Object.assign(this, { store, below: random(seed) });
    this.gets = new Map();
  }

  #size() {
    const n = this.below(100);
    return 1 + this.below(SIZES.find(([share]) => n < share)[1]);
  }

  #parts() {
    const size = this.#size();
    const text = this.below(4) ? latin1 : utf16;
    return [text.slice(0, Math.min(size, text.length)), bytes.subarray(0, size >> 1)];
  }

  #tags(key) {
    return [`tag-${key % TAGS}`, `_N_T_/page/${key}`];
  }

  async #put(key, epoch) {
    const modified = Date.now();
    const tags = this.#tags(key);
    const life = { modified, revalidate: 60_000, expire: this.below(3) ? Infinity : 300_000 };
    const entry = { key: `key ${key}`, build: 'soak', kind: KIND.PAGE, epoch, tags, meta: '{}', ...life };
    await this.store.put({ ...entry, parts: this.#parts(), names: ['text', 'bytes'], tell: this.below(50) === 0 });
  }

  /** One operation, and what follows from it; answers how many it were. */
  async step() {
    const key = this.below(KEYS);
    const what = this.below(1000);
    if (what < 5) await this.store.revalidate([`tag-${this.below(TAGS)}`], this.below(2) ? undefined : 10_000);
    else if (what < 10) await this.store.remove(KIND.PAGE, 'soak', `key ${key}`);
    else if (what < 15) await this.store.check(this.#tags(key), this.store.known());
    else if (what < 20) await this.store.get(KIND.FETCH, 'soak', `no such key ${this.below(1e6)}`, null, 0);
    else {
      // Half of what is asked for is one twentieth of what there is.
      const asked = this.below(2) ? key : key % (KEYS / 20);
      const got = await this.store.get(KIND.PAGE, 'soak', `key ${asked}`, this.below(4) ? null : ['soft'], RENDER);
      if (got.verdict === 1 || got.verdict === 4) return 1;
      await this.#put(asked, got.known);
      return 2;
    }
    return 1;
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Until nothing is under way: what was late has come, and what nobody holds is collected. */
const SETTLE_MS = 8000;
async function settle(stores, addon) {
  const end = performance.now() + SETTLE_MS;
  const busy = (store) => {
    const { inflight, journalPending, instances } = store.stats();
    return inflight > 0 || journalPending > 0 || instances.some((i) => i.inflight > 0 || i.queued > 0);
  };
  for (;;) {
    globalThis.gc();
    await pause(200);
    if ((!stores.some(busy) && addon.live()[0] === 0) || performance.now() > end) return;
  }
}

module.exports = { Client, settle };
