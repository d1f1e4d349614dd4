'use strict';
// The entries that all handlers store, as Next.js 16 makes them, and how it asks for them.

const { createHash } = require('node:crypto');
const { markup } = require('../lib/pages.js');

const KB = 1024;
const hash = (text) => createHash('sha256').update(text).digest('hex');

/** Eight, as a page of a shop has them. */
const pageTags = ['_N_T_/layout', '_N_T_/shop/layout', '_N_T_/shop/[slug]/layout', '_N_T_/shop/[slug]/page', '_N_T_/shop/boots', 'products', 'product-boots', 'prices'];
const fetchTags = ['products', 'prices'];

/** 200 KB html, 60 KB rsc, and 6 segments, the last of which is the payload again, the same Buffer. */
function page(seed) {
  const rscData = Buffer.from(markup(60 * KB, seed + 7919));
  const segments = ['/_tree', '/_head', '/shop', '/shop/$d$slug', '/shop/$d$slug/__PAGE__'];
  return {
    kind: 'APP_PAGE', html: markup(200 * KB, seed), rscData, status: 200, postponed: undefined,
    headers: { 'x-next-cache-tags': pageTags.join(','), 'x-nextjs-stale-time': '300', 'content-type': 'text/html; charset=utf-8' },
    segmentData: new Map([...segments.map((name, i) => [name, Buffer.from(markup((i + 1) * 2 * KB, seed + i))]), ['/_full', rscData]]),
  };
}

const fetched = (seed) => ({
  kind: 'FETCH', revalidate: 3600,
  data: {
    headers: { 'content-type': 'application/json', 'cache-control': 'max-age=60' }, status: 200, url: `https://api.example.com/products/${seed}`,
    body: Buffer.from(markup(3 * KB, seed)).toString('base64'),
  },
});

/** Bytes that do not compress. */
function image(seed) {
  const buffer = Buffer.allocUnsafe(80 * KB);
  for (let i = 0, x = seed; i < buffer.length; i++) buffer[i] = (x = Math.imul(x, 1664525) + 1013904223) >>> 24;
  return { kind: 'IMAGE', buffer, etag: hash(`etag ${seed}`).slice(0, 27), upstreamEtag: hash(`upstream ${seed}`).slice(0, 27), extension: 'webp', revalidate: 3600 };
}

const cacheControl = { revalidate: 3600, expire: 31536000 };

/** Contexts are new for each call: a handler may write into them. */
const kinds = {
  APP_PAGE: {
    bytes: 308 * KB, make: page,
    key: (i) => `/route-cache/APP_PAGE/${hash('/shop/[slug]')}/$/shop/item-${i}`,
    getContext: () => ({ kind: 'APP_PAGE', isRoutePPREnabled: false, isFallback: false }),
    setContext: () => ({ isRoutePPREnabled: false, isFallback: false, cacheControl: { ...cacheControl } }),
    same: (a, b) => a.html === b.html && b.rscData.equals(a.rscData) && a.status === b.status && a.segmentData instanceof Map &&
      a.segmentData.size === b.segmentData.size && [...b.segmentData].every(([name, bytes]) => bytes.equals(a.segmentData.get(name))),
  },
  FETCH: {
    bytes: 4 * KB, make: fetched,
    key: (i) => hash(`fetch ${i}`),
    getContext: () => ({ kind: 'FETCH', revalidate: 3600, fetchUrl: 'https://api.example.com/products', fetchIdx: 1, tags: [...fetchTags], softTags: ['_N_T_/layout', '_N_T_/shop'], isFallback: false }),
    setContext: () => ({ fetchCache: true, fetchUrl: 'https://api.example.com/products', fetchIdx: 1, tags: [...fetchTags], isImplicitBuildTimeCache: false }),
    same: (a, b) => a.data.body === b.data.body && a.data.status === b.data.status && a.data.headers['content-type'] === b.data.headers['content-type'],
  },
  IMAGE: {
    bytes: 80 * KB, make: image,
    key: (i) => Buffer.from(hash(`image ${i}`), 'hex').toString('base64url'),
    getContext: () => ({ kind: 'IMAGE', isFallback: false }),
    setContext: () => ({ cacheControl: { ...cacheControl } }),
    same: (a, b) => Buffer.isBuffer(a.buffer) && a.buffer.equals(b.buffer) && a.extension === b.extension && a.etag === b.etag,
  },
};

module.exports = { kinds };
