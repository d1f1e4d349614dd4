'use strict';
// Who is measured.  Each: open(dir, {bytes, keys}) stores the pages and returns {get(i), set(i), close()}.

const fs = require('node:fs');
const path = require('node:path');
const { page, key } = require('../lib/pages.js');

const nextModules = process.env.BENCH_NEXT; // a node_modules with Next.js in it
const larder = path.join(__dirname, '../../bindings/node');

const pageContext = { kind: 'APP_PAGE', isFallback: false, isRoutePPREnabled: false };
const setContext = { ...pageContext, cacheControl: { revalidate: 3600, expire: 31536000 } };

const MARK_AGE_MS = 1000;

/** As `next start` gives it, in the folder of a build. */
function handlerContext(dir, extra) {
  const serverDistDir = path.join(dir, '.next/server');
  fs.mkdirSync(serverDistDir, { recursive: true });
  fs.writeFileSync(path.join(dir, '.next/BUILD_ID'), 'bench');
  return { dev: false, flushToDisk: true, serverDistDir, revalidatedTags: [], fetchCacheKeyPrefix: '', _requestHeaders: {}, ...extra };
}

async function fill(handler, { bytes, keys }) {
  const pages = Array.from({ length: Math.min(keys, 16) }, (_, i) => page(bytes, i + 1));
  // Next.js asks before it renders, and stores what it rendered.
  for (let i = 0; i < keys; i++) {
    await handler.get(key(i), pageContext);
    await handler.set(key(i), pages[i % pages.length], setContext);
  }
  return pages;
}

function check(answer, bytes) {
  const got = answer?.value?.html?.length + answer?.value?.rscData?.length;
  if (got !== bytes) throw new Error(`a get answered ${got} bytes, not ${bytes}`);
}

/** Next.js's own cache of files, as `next start` makes it. */
function fileSystemCache(maxMemoryCacheSize) {
  return async (dir, options) => {
    const load = (name) => require(path.join(nextModules, 'next/dist/server/lib', name));
    const FileSystemCache = load('incremental-cache/file-system-cache').default;
    const { nodeFs } = load('node-fs-methods');
    const handler = new FileSystemCache(handlerContext(dir, { fs: nodeFs, maxMemoryCacheSize }));
    const pages = await fill(handler, options);
    check(await handler.get(key(0), pageContext), options.bytes);
    return {
      get: (i) => handler.get(key(i % options.keys), pageContext),
      set: (i) => handler.set(key(i % options.keys), pages[i % pages.length], setContext),
      close() {},
    };
  };
}

/** A plain file of the same size, by what Node.js has. */
async function readFile(dir, { bytes, keys }) {
  fs.mkdirSync(dir, { recursive: true });
  const file = (i) => path.join(dir, `${i % keys}.page`);
  const bodies = Array.from({ length: Math.min(keys, 16) }, (_, i) => {
    const { html, rscData } = page(bytes, i + 1);
    return Buffer.concat([Buffer.from(html), rscData]);
  });
  for (let i = 0; i < keys; i++) fs.writeFileSync(file(i), bodies[i % bodies.length]);
  if ((await fs.promises.readFile(file(0))).length !== bytes) throw new Error('a short read');
  return {
    get: (i) => fs.promises.readFile(file(i)),
    set: (i) => fs.promises.writeFile(file(i), bodies[i % bodies.length]),
    close() {},
  };
}

/** Larder as Next.js uses it: a new handler for each request.  variables: settings that are not the default. */
function larderHandler(variables) {
  return async (dir, options) => {
    process.env.LARDER_CACHE = `fs:${path.join(dir, 'larder')}`;
    Object.assign(process.env, variables);
    const Handler = require(path.join(larder, 'lib/next.js'));
    const context = handlerContext(dir, { fs: {}, maxMemoryCacheSize: 0 });
    if (variables.LARDER_MARK_AGE) {
      // What is rendered in the first mark-age of a process is rendered once more.
      await new Handler(context).get(key(0), pageContext);
      await new Promise((resolve) => setTimeout(resolve, MARK_AGE_MS + 50));
    }
    const pages = await fill(new Handler(context), options);
    check(await new Handler(context).get(key(0), pageContext), options.bytes);
    return {
      get: (i) => new Handler(context).get(key(i % options.keys), pageContext),
      set: (i) => new Handler(context).set(key(i % options.keys), pages[i % pages.length], setContext),
      close() {},
    };
  };
}

/** The addon below it, without memory: bytes of the same size as one Buffer, marks of four tags looked at. */
async function larderAddon(dir, { bytes, keys }) {
  const { open, load, KIND } = require(path.join(larder, 'lib/native.js'));
  if (!load()) throw new Error('the addon does not load');
  const settings = { cache: `fs:${path.join(dir, 'larder')}`, memory: '0' };
  const store = open(Object.entries(settings).map(([name, value]) => [name, value, 'the benchmark']));
  const tags = ['_N_T_/layout', '_N_T_/post/layout', '_N_T_/post/page', 'posts'];
  const bodies = Array.from({ length: Math.min(keys, 16) }, (_, i) => {
    const { html, rscData } = page(bytes, i + 1);
    return Buffer.concat([Buffer.from(html), rscData]);
  });
  const { known } = await store.epoch();
  const put = (i) =>
    store.put({
      key: key(i % keys), build: 'bench', kind: KIND.PAGE, epoch: known, modified: Date.now(), revalidate: NaN,
      expire: NaN, tags, meta: '{}', parts: [bodies[i % bodies.length]],
    });
  for (let i = 0; i < keys; i++) {
    const { status, detail } = await put(i);
    if (status !== 0) throw new Error(`put: ${detail}`);
  }
  const get = (i) => store.get(KIND.PAGE, 'bench', key(i % keys), null, 0);
  const first = await get(0);
  if (first.verdict !== 1 || first.parts[0].length !== bytes) throw new Error(`get: ${first.verdict} ${first.detail}`);
  return { get, set: put, close() {} };
}

module.exports = {
  'larder, addon': larderAddon,
  'larder, no memory': larderHandler({ LARDER_MEMORY: '0' }),
  'larder, memory': larderHandler({}),
  'larder, mark-age': larderHandler({ LARDER_MARK_AGE: `${MARK_AGE_MS}ms` }),
  'larder, mark-age, shared': larderHandler({ LARDER_MARK_AGE: `${MARK_AGE_MS}ms`, LARDER_MEMORY_SHARE: 'all' }),
  'fs.promises': readFile,
  'FileSystemCache, no memory': fileSystemCache(0),
  'FileSystemCache, memory': fileSystemCache(50 * 1024 * 1024),
};
