'use strict';
/*
 * What is asked for, of the fixture's application.  `key` is what the page shows of the origin, and
 * `revalidate` what is asked so that it is rendered again: by tag, by path, or by res.revalidate().  `reads` is how many reads of the cache
 * follow each other in the worst case: the page, its data, and a look at the marks of what the build rendered.
 */
const numbered = (n, of) => Array.from({ length: n }, (_, i) => of(i + 1));

const byTag = (tag) => `/api/revalidate?tag=${tag}`;
const byPath = (path) => `/api/revalidate?path=${path}`;
const onDemand = (path) => `/api/on-demand?path=${path}`;

const PAGES = [
  { url: '/', reads: 2 },
  { url: '/isr', key: 'isr', revalidate: byTag('isr'), reads: 3 },
  ...numbered(12, (i) => ({ url: `/post/${i}`, key: `post-${i}`, revalidate: byTag(`post-${i}`), reads: 3 })),
  ...numbered(6, (i) => ({ url: `/api/item/${i}`, key: `item-${i}`, revalidate: byTag('items'), reads: 3 })),
  ...numbered(6, (i) => ({ url: `/p/${i}`, key: `p-${i}`, revalidate: (i % 2 ? byPath : onDemand)(`/p/${i}`), reads: 2 })),
  ...numbered(2, (i) => ({ url: `/big/${i}`, reads: 2 })),
  { url: '/data', key: 'fetch', revalidate: byTag('fetch'), reads: 2, dynamic: true },
  { url: '/api/bin', reads: 2 },
  { url: '/go', reads: 2, status: 307 },
  { url: '/gone/x', reads: 3, status: 404 },
  { url: '/short', reads: 2, due: true },
];

/** What is asked, and the pages that it makes new. */
const REVALIDATIONS = [...new Set(PAGES.map((page) => page.revalidate).filter(Boolean))].map((url) => ({
  url,
  keys: PAGES.filter((page) => page.revalidate === url).map((page) => page.key),
  alone: PAGES.find((page) => url === onDemand(page.url))?.url, // see load.js
}));

module.exports = { PAGES, REVALIDATIONS };
