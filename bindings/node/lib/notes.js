'use strict';
/*
 * Which epoch a rendering began at (docs/semantics.md, "Render").  A get that is answered may be
 * followed by a rendering and a set; what was known when it was answered is what the set stores.
 *
 * Several gets of one key can be under way, and nothing tells which of them a set belongs to.  So
 * a set takes the smallest epoch noted, and removes the largest: whatever the pairing was, no set
 * stores more than its own get knew.  Too small an epoch costs one rendering, too large a one
 * would let an entry outlive a revalidation.
 */

const { clock } = require('./state.js');

/** A rendering that takes longer than this has no note any more, and stores epoch 0. */
const MAX_RENDER_MS = 10 * 60 * 1000;
/** Gets that hit leave notes too; a handler that lives long (images) is swept above this. */
const SWEEP_ABOVE = 1024;

class Notes {
  /** @param {() => number} [now] a monotonic clock in ms */
  constructor(now = clock) {
    this.now = now;
    /** @type {Map<string, Array<{ epoch: number, at: number, time: number }>> } */
    this.map = new Map();
  }

  /*
   * `only`: forget other notes of this key.  For the image cache, whose handler lives as long as
   * the process, and which renders a key once at a time.  There the notes of hits would pile up
   * for ten minutes, and the smallest of them would make each new entry as old as the oldest.
   */
  /** @param {string} key @param {number} epoch @param {number} time ms since 1970 @param {boolean} [only] */
  add(key, epoch, time, only = false) {
    const note = { epoch, at: this.now(), time };
    const list = only ? undefined : this.map.get(key);
    if (list) list.push(note);
    else this.map.set(key, [note]);
    if (this.map.size > SWEEP_ABOVE) this.sweep();
  }

  /** @param {string} key @returns {{ epoch: number, time: number } | undefined} */
  take(key) {
    const all = this.map.get(key);
    if (!all) return undefined;
    const oldest = this.now() - MAX_RENDER_MS;
    const list = all.filter((note) => note.at >= oldest);
    if (list.length === 0) {
      this.map.delete(key);
      return undefined;
    }
    let small = 0;
    let large = 0;
    for (let i = 1; i < list.length; i++) {
      if (list[i].epoch < list[small].epoch) small = i;
      if (list[i].epoch >= list[large].epoch) large = i;
    }
    // The time is about duration alone, so it is the latest get's: the smallest epoch may belong
    // to a hit of minutes ago, which would make a new entry due at once.
    const taken = { epoch: list[small].epoch, time: list[large].time };
    list.splice(large, 1);
    if (list.length === 0) this.map.delete(key);
    else this.map.set(key, list);
    return taken;
  }

  sweep() {
    const oldest = this.now() - MAX_RENDER_MS;
    for (const [key, list] of this.map) {
      if (list[list.length - 1].at < oldest) this.map.delete(key);
    }
  }
}

module.exports = { Notes, MAX_RENDER_MS };
