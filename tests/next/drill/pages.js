'use strict';
/*
 * What is asked for, of the fixture's application.  `key` is what the page shows of the origin, and
 * `revalidate` the query that makes it be rendered again.  `reads` is how many reads of the cache
 * follow each other in the worst case: the page, its data, and a look at the marks of what the build rendered.
 */
const numbered = (n, of) => Array.from({ length: n }, (_, i) => of(i + 1));

const PAGES = [
  { url: '/', reads: 2 },
  { url: '/isr', key: 'isr', revalidate: 'tag=isr', reads: 3 },
  ...numbered(12, (i) => ({ url: `/post/${i}`, key: `post-${i}`, revalidate: `tag=post-${i}`, reads: 3 })),
  ...numbered(6, (i) => ({ url: `/api/item/${i}`, key: `item-${i}`, revalidate: 'tag=items', reads: 3 })),
  ...numbered(6, (i) => ({ url: `/p/${i}`, key: `p-${i}`, revalidate: `path=/p/${i}`, reads: 2 })),
  ...numbered(2, (i) => ({ url: `/big/${i}`, reads: 2 })),
  { url: '/data', key: 'fetch', revalidate: 'tag=fetch', reads: 2, dynamic: true },
  { url: '/api/bin', reads: 2 },
  { url: '/go', reads: 2, status: 307 },
  { url: '/gone/x', reads: 3, status: 404 },
  { url: '/short', reads: 2, due: true },
];

/** Pages that one query makes new, together. */
const REVALIDATIONS = [...new Set(PAGES.map((page) => page.revalidate).filter(Boolean))].map((query) => ({
  query,
  keys: PAGES.filter((page) => page.revalidate === query).map((page) => page.key),
}));

module.exports = { PAGES, REVALIDATIONS };
