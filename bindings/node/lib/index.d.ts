/**
 * What next.config.js uses.
 */

/** Settings of a driver beside its name or URL; docs/configuration.md and the driver's README list them. */
export interface LarderDriver {
  /** The driver's name, or a path to one: "fs", "redis", "/opt/drivers/mine.so". */
  driver?: string;
  /** With `driver`: its setting `url`.  Alone: as in `cache: "redis://host"`. */
  url?: string;
  [setting: string]: string | number | boolean | string[] | undefined;
}

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

export interface LarderOptions {
  /** Where entries are: a URL such as "fs:/var/cache/shop", or an object.  Default: files in `.next/cache/larder`. */
  cache?: string | LarderDriver;
  /** Where tags are; default: the same place. */
  tags?: string | LarderDriver;
  /** Keeps applications apart that share a store. */
  namespace?: string;
  /** Serve `'use cache'` as well: `true` for "default" and "remote", or the names (Next.js 15.5 and 16). */
  useCache?: boolean | string | string[];
  /** `false`: leave optimised images to Next.js (16.2 and later). */
  images?: boolean;
  /** Which lines of the log are wanted; default "warn". */
  log?: LogLevel | 'off';
  /** Write to the log what happened to each request: "1" to all, else to those whose key has this text in it. */
  trace?: string;
  /** The file to read instead of `larder.json`. */
  config?: string;
  /** Any other setting of a store: "get-deadline", "compress", "max-value" ... */
  [setting: string]: unknown;
}

/**
 * Sets all there is to set in next.config.js, for the version of Next.js that is installed.  Takes
 * an object or a function, and gives the same back.  Throws where larder.json or the options are
 * not well formed.
 */
export function withLarder<T extends object = object>(nextConfig?: T, options?: LarderOptions): T;
export function withLarder<T extends object, A extends any[]>(
  nextConfig: (...args: A) => T | Promise<T>,
  options?: LarderOptions,
): (...args: A) => Promise<T>;

/** The store of the application in this folder, for scripts; null where it cannot be opened. */
export function openStore(options?: { distDir?: string }): import('./native').Store | null;

/**
 * What `revalidateTag()` of Next.js does, from any script: without durations entries with these tags
 * are gone; with `{expire: s}` they are stale, and gone after s seconds; with `{}` stale.  Never
 * rejects; what fails is tried again for as long as this process lives.
 */
export function revalidateTag(tags: string | string[], durations?: { expire?: number }): Promise<void>;

/**
 * Where lines go that the store and this package have for people: one line each (with the setting `trace`
 * a block of several), up to the level that the setting `log` names, without secrets.  Without a function:
 * console.error for errors, console.warn for the rest.  The core's lines come on the thread that called
 * this last; in a process where none has, on the main one.  They keep no process alive, and after a flood
 * one line tells how many are missing.  What the function throws is ignored.
 */
export function setLog(log?: ((level: LogLevel, line: string) => void) | null): void;

export const version: string;
