import { headersOf, stampOf } from '../../../lib/read.js';
import { here, peers } from '../../../lib/peers.js';
import { kind, knownPath } from '../../../lib/kinds.js';

/**
 * Asks every other server of the demo for one page, from this machine.  A browser may not read
 * another origin's headers; this server may.
 */
export async function GET(request) {
  const query = request.nextUrl.searchParams;
  const path = query.get('ask');
  if (!knownPath(path) && path !== kind('image').ask) return Response.json({ error: 'unknown path' }, { status: 400 });
  return Response.json({ here: here(), peers: await Promise.all(peers().map(([name, base]) => ask(name, base, path))) });
}

async function ask(name, base, path) {
  try {
    // The format a browser would get: another is another entry.
    const headers = path === kind('image').ask ? { accept: 'image/webp' } : {};
    const response = await fetch(base + path, { cache: 'no-store', headers, signal: AbortSignal.timeout(5000) });
    return { name, base, ...headersOf(response), stamp: await stampOf(response) };
  } catch (error) {
    return { name, base, error: error.message };
  }
}
