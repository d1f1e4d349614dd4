/**
 * What the addon gives to the handlers.  Thin: times and shapes only; all logic about entries,
 * marks and epochs is in C.  No method ever throws for a backend's sake, and no promise rejects.
 */

/** FRESH 1, STALE 2, GONE 3 (the entry is not returned), MISS 0, or an error class below 0. */
export type Verdict = number;

/** What an answer with an entry says of it. */
export interface Dates {
  verdict: Verdict;
  known: number;
  epoch: number;
  modified: number;
  revalidate: number;
  expire: number;
}

export interface Got {
  verdict: Verdict;
  /** The greatest epoch this process knew when the answer was made: what a render notes. */
  known: number;
  /** With an error: one line. */
  detail?: string;
  /* Below: only with FRESH and STALE. */
  epoch: number;
  /** ms since 1970, when rendering began. */
  modified: number;
  /** ms; NaN: none stored; Infinity: false / never. */
  revalidate: number;
  expire: number;
  /** Until this time (ms of process.hrtime()) the same may be given again without asking, while no
   *  revalidation of this process has ended since; 0: not at all.  Setting mark-age. */
  trusted: number;
  /** Of meta and parts, as the core has them. */
  bytes: number;
  /** What the binding stored beside the parts: JSON text. */
  meta: string;
  /** Texts as strings, binaries as Buffers (subarrays of one external block).  Read-only: a Buffer
   *  may lie in memory that the store and other readers use; what is written into it shows there,
   *  or makes the entry a miss. */
  parts: Array<string | Buffer>;
}

export interface Put {
  key: string;
  build: string;
  kind: number;
  epoch: number;
  modified: number;
  revalidate: number;
  expire: number;
  tags: string[];
  meta: string;
  /** Buffers are referenced, not copied, until the promise resolves: neither change nor transfer
   *  them before. */
  parts: Array<string | Uint8Array>;
  names?: string[];
  ifAbsent?: boolean;
  /**
   * What is replaced is outdated though none of its tags was revalidated: tell the other processes, and let
   * nothing replace it that was rendered before.
   */
  tell?: boolean;
}

/** See kept.js. */
export interface Memory {
  find(kind: number, build: string, key: string, tags: string[]): { got: Dates; value: any } | undefined;
  /** Before a get is sent; handed to keep() with its answer. */
  token(): number;
  /** Takes value over; answers the one for the caller. */
  keep(kind: number, build: string, key: string, tags: string[], token: number, got: Got, value: any): any;
  /** A put or a remove of the key begins, or is answered. */
  wrote(key: string): void;
  /** Tells the core of hits that it did not see. */
  tell(): void;
}

export interface Store {
  /** What handlers give again without asking; undefined: nothing (mark-age or memory is 0). */
  kept?: Memory;
  /** How long a set keeps Next.js waiting; undefined: to its end. */
  setWaitMs?: number;
  /** flags: RENDER when a miss will be rendered. */
  get(kind: number, build: string, key: string, tags: string[] | null, flags: number): Promise<Got>;
  /** status: 0 stored, 1 (IF_ABSENT) something was there, below 0 an error class. */
  put(entry: Put): Promise<{ status: number; detail?: string }>;
  remove(kind: number, build: string, key: string): Promise<{ status: number; detail?: string }>;
  /** expireInMs undefined: gone now; a number: stale now, gone after it; Infinity: stale for ever. */
  revalidate(tags: string[], expireInMs?: number): Promise<{ status: number; epoch: number; detail?: string }>;
  /** What the marks of these tags say of an entry of this epoch. */
  check(tags: string[], epoch: number): Promise<{ verdict: Verdict; known: number; detail?: string }>;
  /** Asks the store's counter. */
  epoch(): Promise<{ status: number; known: number; detail?: string }>;
  /** A process of this build runs.  status: 0 it was written down, 1 it was known, below 0 an error class. */
  noteBuild(build: string): Promise<{ status: number; detail?: string }>;
  /** What a render that begins now notes, read from shared memory: no call into C. */
  known(): number;
  /** Greatest epoch known; with mark-age more than a render may note. */
  latest(): number;
  /** Greatest epoch this process knew ageMs ago; 0: longer ago than remembered. */
  knownAt(ageMs: number): number;
  /** Waits (blocking this thread) until all accepted requests are answered, at most ms. */
  drain(ms: number): boolean;
  stats(): import('./metrics').Stats;
  /** format 1: Prometheus; 2: OTLP/JSON. */
  metrics(format: number, labels: Record<string, string>): string | undefined;
}

/** Settings in order, the later winning: [name, value, where it came from].  LARDER_* variables are
 *  read in C after them.  The same effective settings in one process are one store, over worker
 *  threads too.  Throws Error with the core's text where the configuration is wrong. */
export function open(settings: Array<[string, string, string]>): Store;

/** The native module for this platform, or null after saying once why not. */
export function load(): { version: string } | null;

export const KIND: { PAGE: 1; FETCH: 2; IMAGE: 3; USE_CACHE: 4 };
export const FLAG: { RENDER: 16; ANY: 8 };
export const FRESH: 1, STALE: 2, GONE: 3, MISS: 0;
