'use strict';
/*
 * What `next build` prerendered, as entries.  Next.js writes it to .next/server and never hands it
 * to a cache handler, so without this each prerendered page would be rendered again after a
 * deploy, and pages of partial prerendering would never become static again.
 *
 * A seed is as old as its build (epochOf() in build.js), so marks decide over it as over any entry.
 */
const fs = require('node:fs');
const path = require('node:path');
const { state } = require('./state.js');

const SCOPED = '/route-cache/';

/**
 * @typedef {object} Seed
 * @property {any} value
 * @property {number} modified   ms since 1970
 * @property {number | false | undefined} revalidate   seconds
 * @property {number | undefined} expire
 * @property {string[]} tags
 */

/** @param {string} distDir @returns {{ routes: Record<string, any>, dynamicRoutes: Record<string, any>, secret?: string }} */
function manifest(distDir) {
  const { perDir } = state();
  const key = `prerender:${distDir}`;
  let found = perDir.get(key);
  if (!found) {
    found = { routes: {}, dynamicRoutes: {} };
    try {
      const json = JSON.parse(fs.readFileSync(path.join(distDir, 'prerender-manifest.json'), 'utf8'));
      const secret = json.preview?.previewModeId;
      found = { routes: json.routes ?? {}, dynamicRoutes: json.dynamicRoutes ?? {}, secret };
    } catch {}
    perDir.set(key, found);
  }
  return found;
}

/** The path in a key: all of it, or what follows "/$" in the keys of 15.5.29 and 16.3.8 on. */
function pathOf(key) {
  if (!key.startsWith(SCOPED)) return key;
  const at = key.indexOf('/$/');
  return at < 0 ? undefined : key.slice(at + 2);
}

/** The kind in such a key. */
function kindOf(key) {
  return key.startsWith(SCOPED) ? key.slice(SCOPED.length, key.indexOf('/', SCOPED.length)) : undefined;
}

/** A path as the key has it -> as the manifest has it: "/index" is the root, "/index/index" is "/index". */
function routeOf(pagePath) {
  if (pagePath === '/index') return '/';
  return pagePath.startsWith('/index/') ? pagePath.slice('/index'.length) : pagePath;
}

/** @returns {string | undefined} the file, or undefined where the key would lead out of the folder */
function inside(root, name) {
  if (!name.startsWith('/') || name.includes('\0')) return undefined;
  const file = path.join(root, name);
  return file.startsWith(root + path.sep) ? file : undefined;
}

async function maybe(promise) {
  try {
    return await promise;
  } catch {
    return undefined;
  }
}

async function readMeta(base) {
  const text = await maybe(fs.promises.readFile(`${base}.meta`, 'utf8'));
  return text === undefined ? undefined : JSON.parse(text);
}

async function segments(base, meta, rscData) {
  if (!meta.segmentPaths) return undefined;
  const map = new Map();
  const root = `${base}.segments`;
  const files = await Promise.all(
    meta.segmentPaths.map(async (segment) => {
      const file = inside(root, segment);
      return file && maybe(fs.promises.readFile(`${file}.segment.rsc`));
    }),
  );
  meta.segmentPaths.forEach((segment, i) => {
    // One that is missing is dynamic to Next.js, as in its own handler.  "/_full" is rscData: one
    // Buffer for both, as after a rendering.
    if (files[i]) map.set(segment, rscData && files[i].equals(rscData) ? rscData : files[i]);
  });
  return map;
}

async function route(base, meta, kind) {
  const body = await fs.promises.readFile(`${base}.body`);
  return { kind, body, headers: meta.headers, status: meta.status };
}

async function appPage(base, meta, ctx) {
  const html = await fs.promises.readFile(`${base}.html`, 'utf8');
  const shell =
    ctx.isFallback || (ctx.isRoutePPREnabled && meta.postponed !== undefined && meta.postponed !== null);
  const rscData = shell ? undefined : await fs.promises.readFile(`${base}.rsc`);
  return {
    kind: 'APP_PAGE',
    html,
    rscData,
    postponed: meta.postponed,
    headers: meta.headers,
    status: meta.status,
    segmentData: await segments(base, meta, rscData),
  };
}

async function page(base, meta, ctx, kind) {
  const html = await fs.promises.readFile(`${base}.html`, 'utf8');
  const pageData = ctx.isFallback ? {} : JSON.parse(await fs.promises.readFile(`${base}.json`, 'utf8'));
  return {
    kind,
    html,
    pageData,
    headers: meta?.headers ?? (kind === 'PAGE' ? {} : undefined),
    status: meta?.status,
  };
}

/** Next.js 14: the kinds PAGE and ROUTE, and RSC as text. */
async function page14(serverDistDir, file, ctx, ppr) {
  if (ctx.kindHint !== 'pages') {
    const base = inside(path.join(serverDistDir, 'app'), file);
    const meta = base && (await readMeta(base));
    if (meta && fs.existsSync(`${base}.body`))
      return [base + '.body', await route(base, meta, 'ROUTE'), meta];
    if (base && fs.existsSync(`${base}.html`)) {
      const html = await fs.promises.readFile(`${base}.html`, 'utf8');
      const pageData = await fs.promises.readFile(`${base}${ppr ? '.prefetch.rsc' : '.rsc'}`, 'utf8');
      return [
        base + '.html',
        {
          kind: 'PAGE',
          html,
          pageData,
          postponed: meta?.postponed,
          headers: meta?.headers ?? {},
          status: meta?.status,
        },
        meta,
      ];
    }
  }
  if (ctx.kindHint !== 'app') {
    const base = inside(path.join(serverDistDir, 'pages'), file);
    if (base && fs.existsSync(`${base}.html`))
      return [base + '.html', await page(base, undefined, ctx, 'PAGE'), undefined];
  }
  return undefined;
}

async function page15(serverDistDir, key, file, ctx) {
  const kind = ctx.kind;
  if (key.startsWith(SCOPED) && kindOf(key) !== kind) return undefined;
  const base = inside(path.join(serverDistDir, kind === 'PAGES' ? 'pages' : 'app'), file);
  if (!base) return undefined;
  const meta = await readMeta(base);
  if (key.startsWith(SCOPED)) {
    // The file of this path may be another route's: the key in it decides.
    if (!meta || meta.routeCache?.key !== key) return undefined;
    const shell =
      kind === 'APP_PAGE' && ctx.isRoutePPREnabled && meta.postponed !== undefined && meta.postponed !== null;
    if (Boolean(meta.routeCache.isFallback) !== Boolean(ctx.isFallback) && !shell) return undefined;
  }
  switch (kind) {
    case 'APP_ROUTE':
      return meta && [`${base}.body`, await route(base, meta, 'APP_ROUTE'), meta];
    case 'APP_PAGE':
      return meta && [`${base}.html`, await appPage(base, meta, ctx), meta];
    case 'PAGES':
      return [`${base}.html`, await page(base, meta, ctx, 'PAGES'), meta];
    default:
      return undefined;
  }
}

/**
 * The build's output for a key, if it prerendered that.  Never throws.
 * @param {string} serverDistDir
 * @param {string} key
 * @param {any} ctx   of get
 * @param {(value: any, key: string) => string[]} tagsOf
 * @param {boolean} [ppr]   14: experimental.ppr
 * @returns {Promise<Seed | undefined>}
 */
async function seed(serverDistDir, key, ctx, tagsOf, ppr) {
  try {
    const file = pathOf(key);
    if (file === undefined) return undefined;
    const distDir = path.dirname(serverDistDir);
    const { routes, dynamicRoutes } = manifest(distDir);
    const name = routeOf(file);
    const listed = Object.hasOwn(routes, name)
      ? routes[name]
      : Object.hasOwn(routes, file)
        ? routes[file]
        : undefined;
    const shell = listed ? undefined : Object.hasOwn(dynamicRoutes, name) ? dynamicRoutes[name] : undefined;
    if (!listed && !(shell && (ctx.isFallback || ctx.isRoutePPREnabled))) return undefined;
    const found = ctx.kind
      ? await page15(serverDistDir, key, file, ctx)
      : await page14(serverDistDir, file, ctx, ppr);
    if (!found) return undefined;
    const [main, value, meta] = found;
    const modified = (await fs.promises.stat(main)).mtimeMs;
    return {
      value,
      modified,
      revalidate:
        meta?.cacheControl?.revalidate ?? listed?.initialRevalidateSeconds ?? shell?.fallbackRevalidate,
      expire: meta?.cacheControl?.expire ?? listed?.initialExpireSeconds ?? shell?.fallbackExpire,
      tags: tagsOf(value, key),
    };
  } catch {
    return undefined;
  }
}

/** Whether a request is one of res.revalidate(), which proves it by the build's secret, as Next.js looks at it. */
/** @param {string} distDir @param {Record<string, unknown> | undefined} headers */
function isOnDemand(distDir, headers) {
  const proof = headers?.['x-prerender-revalidate'];
  return typeof proof === 'string' && proof === manifest(distDir).secret;
}

module.exports = { seed, pathOf, routeOf, isOnDemand };
