/**
 * `cacheHandler` of next.config.js, for Next.js 14, 15 and 16:
 *
 *     cacheHandler: require.resolve('larder/next')
 */
declare class LarderHandler {
  constructor(context?: { dev?: boolean; serverDistDir?: string; [member: string]: unknown });

  /** Never rejects, and answers by the store's deadline (`get-deadline`). */
  get(key: string, context?: LarderHandler.GetContext): Promise<LarderHandler.Entry | null>;

  /** Never rejects. */
  set(key: string, value: LarderHandler.Value | null, context?: LarderHandler.SetContext): Promise<void>;

  /**
   * Without durations: gone now.  `{expire: s}`: stale now, gone after s seconds.  `{}`: stale.
   * Never rejects; what fails is tried again.
   */
  revalidateTag(tags: string | string[], durations?: { expire?: number }): Promise<void>;

  resetRequestCache(): void;
}

declare namespace LarderHandler {
  interface CacheControl {
    /** Seconds; false: never. */
    revalidate: number | false;
    expire?: number;
  }

  /** A value of Next.js: passed through as it is, whatever its members are. */
  interface Value {
    kind:
      'APP_PAGE' | 'APP_ROUTE' | 'PAGES' | 'FETCH' | 'IMAGE' | 'REDIRECT' | 'PAGE' | 'ROUTE' | (string & {});
    [member: string]: any;
  }

  interface Entry {
    /** ms since 1970; what it says to Next.js besides depends on the version. */
    lastModified: number;
    value: Value | null;
    /** Read by Next.js 16.4 and later. */
    cacheControl?: CacheControl;
  }

  interface GetContext {
    kind?: 'APP_PAGE' | 'APP_ROUTE' | 'PAGES' | 'FETCH' | 'IMAGE' | (string & {});
    /** Next.js 14. */
    kindHint?: 'app' | 'pages' | 'fetch';
    tags?: string[];
    softTags?: string[];
    revalidate?: number | false;
    isFallback?: boolean;
    isRoutePPREnabled?: boolean;
    [member: string]: any;
  }

  interface SetContext {
    cacheControl?: CacheControl;
    /** Next.js 14 to 15.1. */
    revalidate?: number | false;
    fetchCache?: boolean;
    tags?: string[];
    [member: string]: any;
  }
}

export = LarderHandler;
