import { stats } from 'larder/metrics';
import { here, peers } from '../../../lib/peers.js';

export const dynamic = 'force-dynamic';

/**
 * What the store of this process has counted (null until its first request), and that of each other
 * server of the demo: they are asked for /api/stats?alone, which asks nobody.
 */
export async function GET(request) {
  const mine = { ...here(), stats: stats() };
  if (request.nextUrl.searchParams.has('alone')) return Response.json(mine);
  return Response.json([mine, ...(await Promise.all(peers().map(([name, base]) => ask(name, base))))]);
}

async function ask(name, base) {
  try {
    const response = await fetch(`${base}/api/stats?alone`, { cache: 'no-store', signal: AbortSignal.timeout(1000) });
    return await response.json();
  } catch {
    return { name, stats: null, gone: true };
  }
}
