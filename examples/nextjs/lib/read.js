/*
 * Reading an answer of this app from outside: the browser, another server and check.mjs all do it
 * the same way.  A page carries its stamp in one attribute, "lot at pid by"; a handler as JSON.
 */

export const written = ({ lot, at, pid, by }) => `${lot} ${at} ${pid} ${by}`;

function parsed(text) {
  const [lot, at, pid, ...by] = text.split(' ');
  return { lot, at: Number(at), pid: Number(pid), by: by.join(' ') };
}

/** Of an HTML or JSON answer: {lot, at, pid, by}, and for a page around cached data also `page`. */
export async function stampOf(response) {
  const type = response.headers.get('content-type') ?? '';
  if (type.startsWith('application/json')) return response.json();
  if (!type.startsWith('text/html')) return null;
  const html = await response.text();
  const [, stamp] = /data-stamp="([^"]+)"/.exec(html) ?? [];
  const [, page] = /data-page="([^"]+)"/.exec(html) ?? [];
  return stamp ? { ...parsed(stamp), ...(page && { page: parsed(page) }) } : null;
}

/** A picture has no stamp; its etag does as well. */
export const lotOf = (etag) => (etag ?? '').replace(/[^0-9a-z]/gi, '').slice(0, 6).toUpperCase();

export const headersOf = (response) => ({
  status: response.status,
  cache: response.headers.get('x-nextjs-cache'),
  etag: response.headers.get('etag')?.replaceAll('"', '') ?? null,
});

/**
 * HIT, STALE, MISS ... as Next.js says it in x-nextjs-cache.  A page rendered for each request has
 * no such header; there the data tells: made before the page began, it came from the cache.
 */
export function verdict({ cache, stamp }) {
  if (cache) return cache;
  if (!stamp?.page) return '–';
  return stamp.at < stamp.page.at ? 'HIT' : 'MISS';
}
