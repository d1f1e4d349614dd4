/**
 * What the store of this process has counted since it was opened.
 *
 *     // app/metrics/route.js
 *     import { metrics } from 'larder/metrics'
 *     export const dynamic = 'force-dynamic'
 *     export const GET = () => new Response(metrics(), { headers: { 'content-type': 'text/plain; version=0.0.4' } })
 */

/** How long something took, within 6.25 %; 0 where it never happened. */
export interface Latency {
  p50Ms: number;
  p95Ms: number;
  p99Ms: number;
  maxMs: number;
}

/** Whole requests, from the handler's call of the core to the core's answer. */
export interface RequestStats extends Latency {
  count: number;
  /** Of all together: over the count, the mean; of two readings, the mean between them. */
  sumMs: number;
}

/** Attempts of one operation of a driver that have come back, from its queue to its answer. */
export interface OpStats extends Latency {
  calls: number;
  /** Of these: failed; and not stored. */
  errors: number;
  misses: number;
  bytesSent: number;
  bytesReceived: number;
}

export interface InstanceStats {
  role: 'cache' | 'tags' | 'cache+tags';
  driver: string;
  breaker: 'off' | 'closed' | 'open' | 'half-open';
  /** Why it is, or was last, open. */
  breakerReason: string;
  /** The same as a number, from 0; since when, in ms since 1970, 0 from the start. */
  breakerState: number;
  breakerSinceMs: number;
  breakerOpened: number;
  /** Calls answered at once while it was open; pings sent meanwhile. */
  refused: number;
  probes: number;
  /** What counted against the driver; of that, calls without an answer by their deadline. */
  failures: number;
  stuck: number;
  /** Attempts after the first; calls that one made good; that failed all the same; for want of tokens. */
  retries: number;
  recovered: number;
  exhausted: number;
  withoutTokens: number;
  tokens: number;
  /** Answers that asked for less; the least time between two calls now. */
  throttled: number;
  paceNs: number;
  /** Now: calls between two attempts; with the driver or in its queue; in its queue. */
  waiting: number;
  inflight: number;
  queued: number;
  /** Injected by the setting `fault`. */
  faults: number;
  /** "get", "put", "tags-read", "bump" ...: those that were called. */
  ops: Record<string, OpStats>;
}

export interface Stats {
  /** Since the store was opened. */
  upMs: number;
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
  /** Marks that a tag store had lost, or never had, where it may lose some: they were made. */
  marksMade: number;
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
  /** Revalidations that failed and are tried again; that ever were; attempts at these. */
  journalPending: number;
  journalKept: number;
  journalRepeats: number;
  /** Gets answered though marks could not be read; entries not stored, since they may be built from these. */
  outageServed: number;
  outageUnstored: number;
  /** Gets by where the entry was found, and what writes. */
  requests: Record<'get-memory' | 'get-store' | 'get-nothing' | 'put' | 'revalidate', RequestStats>;
  instances: InstanceStats[];
}

/** null: no store is open in this process (yet). */
export function stats(): Stats | null;

/** Text for Prometheus, or OTLP/JSON as OpenTelemetry's /v1/metrics takes it; "" without a store. */
export function metrics(format?: 'prometheus' | 'otlp', labels?: Record<string, string | number>): string;
