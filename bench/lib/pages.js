'use strict';
// The pages that all contenders store: as Next.js 16 makes them, of a given size, each another.

const words = ('the quiet larder keeps what was made until somebody says that it is no longer good and then it ' +
  'forgets without being asked twice because order is told by numbers and not by clocks').split(' ');

/** A small generator with a seed, so that every run and every contender has the same bytes. */
function random(seed) {
  let x = seed >>> 0 || 1;
  return () => {
    x ^= x << 13; x >>>= 0;
    x ^= x >>> 17;
    x ^= x << 5; x >>>= 0;
    return x;
  };
}

/** `bytes` of markup in ASCII, which compresses about as well as real pages do. */
function markup(bytes, seed) {
  const next = random(seed);
  const rows = [];
  for (let length = 0; length < bytes; ) {
    const id = next().toString(36);
    const text = Array.from({ length: 12 }, () => words[next() % words.length]).join(' ');
    const row = `<li class="item item-${id}" data-id="${next()}"><a href="/post/${id}">${text}</a></li>\n`;
    rows.push(row);
    length += row.length;
  }
  return rows.join('').slice(0, bytes);
}

/**
 * An app page of `bytes` in all: two thirds HTML, one third RSC payload, which is also the segment
 * "/_full", the same Buffer, as Next.js 16 gives it.
 */
function page(bytes, seed) {
  const rscBytes = Math.floor(bytes / 3);
  const rscData = Buffer.from(markup(rscBytes, seed + 7919));
  return {
    kind: 'APP_PAGE',
    html: markup(bytes - rscBytes, seed),
    rscData,
    headers: { 'x-next-cache-tags': '_N_T_/layout,_N_T_/post/layout,_N_T_/post/page,posts', 'content-type': 'text/html' },
    postponed: undefined,
    status: 200,
    segmentData: new Map([['/_full', rscData]]),
  };
}

const key = (i) => `/route-cache/APP_PAGE/${'0123456789abcdef'.repeat(4)}/$/post/${i}`;

module.exports = { page, key, markup };
