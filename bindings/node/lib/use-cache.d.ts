/**
 * One of `cacheHandlers` in next.config.js (16), or of `experimental.cacheHandlers` (15.5):
 *
 *     cacheHandlers: { default: require.resolve('larder/use-cache') }
 */
declare const useCache: useCache.Handler;

declare namespace useCache {
  interface Entry {
    value: ReadableStream<Uint8Array>;
    tags: string[];
    /** Seconds, as expire and revalidate; "for ever" is 4294967294 or Infinity. */
    stale: number;
    /** ms since 1970, with a fraction. */
    timestamp: number;
    expire: number;
    /** -1: serve it, and render it again. */
    revalidate: number;
  }

  interface Handler {
    /** Waits for a set of the same key that is under way.  Checks the soft tags. */
    get(cacheKey: string, softTags: string[]): Promise<Entry | undefined>;
    /** Keeps bytes, neither the promise nor its stream.  Never rejects. */
    set(cacheKey: string, pendingEntry: Promise<Entry>): Promise<void>;
    refreshTags(): Promise<void>;
    /** Infinity: soft tags are checked in get. */
    getExpiration(...tags: Array<string | string[]>): Promise<number>;
    /** Next.js 16. */
    updateTags(tags: string[], durations?: { expire?: number }): Promise<void>;
    /** Next.js 15. */
    expireTags(...tags: string[]): Promise<void>;
    receiveExpiredTags(...tags: string[]): Promise<void>;
  }
}

export = useCache;
