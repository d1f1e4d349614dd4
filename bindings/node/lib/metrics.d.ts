/**
 * What the store of this process has counted since it was opened.
 *
 *     // app/metrics/route.js
 *     import { metrics } from 'larder/metrics'
 *     export const dynamic = 'force-dynamic'
 *     export const GET = () => new Response(metrics(), { headers: { 'content-type': 'text/plain; version=0.0.4' } })
 */

/** Attempts of one operation of a driver that have come back. */
export interface OpStats {
  calls: number;
  /** Of these: failed; and not stored. */
  errors: number;
  misses: number;
  bytesSent: number;
  bytesReceived: number;
  /** From the driver's queue to its answer, within 6.25 %. */
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

export interface InstanceStats {
  role: 'cache' | 'tags' | 'cache+tags';
  driver: string;
  breaker: 'off' | 'closed' | 'open' | 'half-open';
  /** Why it is, or was last, open. */
  breakerReason: string;
  breakerOpened: number;
  /** Calls answered at once while it was open. */
  refused: number;
  retries: number;
  throttled: number;
  inflight: number;
  queued: number;
  /** "get", "put", "tags-read", "bump" ...: those that were called. */
  ops: Record<string, OpStats>;
}

export interface Stats {
  gets: number;
  hits: number;
  stale: number;
  gone: number;
  misses: number;
  getErrors: number;
  puts: number;
  putErrors: number;
  removes: number;
  revalidations: number;
  revalidationErrors: number;
  markReads: number;
  marksRead: number;
  epochReads: number;
  corrupt: number;
  deadlines: number;
  late: number;
  bytesRead: number;
  bytesWritten: number;
  inflight: number;
  epoch: number;
  /** Gets answered from the memory of this process; what is there now. */
  memoryHits: number;
  memoryEntries: number;
  memoryBytes: number;
  /** Gets that shared the read of another, or waited for a put. */
  joined: number;
  /** Revalidations that failed and are tried again; attempts at these. */
  journalPending: number;
  journalRepeats: number;
  /** Gets answered though marks could not be read; entries not stored, since they may be built from these. */
  outageServed: number;
  outageUnstored: number;
  instances: InstanceStats[];
}

/** null: no store is open in this process (yet). */
export function stats(): Stats | null;

/** Text for Prometheus, or OTLP/JSON as OpenTelemetry's /v1/metrics takes it; "" without a store. */
export function metrics(format?: 'prometheus' | 'otlp', labels?: Record<string, string | number>): string;
