import { randomBytes } from 'node:crypto';

/** Which server this is: the demo names its two A and B; a build is a build. */
export function server() {
  if (process.env.NEXT_PHASE === 'phase-production-build') return 'next build';
  return process.env.EXAMPLE_SERVER ?? 'server';
}

/**
 * What every cached thing of this example carries: a lot number, as on a jar, and when and where
 * it was made.  Two answers with the same lot are the same entry; a new lot was made anew.
 */
export function stamp() {
  return { lot: randomBytes(3).toString('hex').toUpperCase(), at: Date.now(), by: server(), pid: process.pid };
}
