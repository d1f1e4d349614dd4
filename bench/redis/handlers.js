'use strict';
// Who is a cache handler of Next.js.  Each: open(server, dir) resolves to a function that makes a handler, as Next.js
// makes one for each request.

const fs = require('node:fs');
const path = require('node:path');

const BUILD = 'bench';
const LATE = 10_000; // ms; a late answer is to be seen in p99, not as a miss

/** As `next start` gives it, in the folder of a build. */
function handlerContext(dir) {
  const serverDistDir = path.join(dir, '.next/server');
  fs.mkdirSync(serverDistDir, { recursive: true });
  fs.writeFileSync(path.join(dir, '.next/BUILD_ID'), BUILD);
  return { dev: false, flushToDisk: true, serverDistDir, revalidatedTags: [], fetchCacheKeyPrefix: '', _requestHeaders: {}, fs: {}, maxMemoryCacheSize: 0 };
}

function larder(variables) {
  return async (server, dir) => {
    Object.assign(process.env, { LARDER_CACHE: server.tcp, LARDER_GET_DEADLINE: `${LATE}ms`, LARDER_WRITE_DEADLINE: `${LATE}ms`, ...variables });
    const Handler = require('../../bindings/node/lib/next.js');
    const context = handlerContext(dir);
    return () => new Handler(context);
  };
}

/** "Quick Start" of its README: node-redis, redis-strings, no handler in memory beside it. */
async function fortedigital(server, dir) {
  const load = (name) => require(path.join(process.env.BENCH_CLIENTS, name));
  const { createClient } = load('redis');
  const { CacheHandler } = load('@fortedigital/nextjs-cache-handler/dist/handlers/cache-handler.cjs');
  const { default: createRedisHandler } = load('@fortedigital/nextjs-cache-handler/dist/handlers/redis-strings.cjs');
  const client = createClient({ url: server.tcp });
  await client.connect();
  CacheHandler.onCreation(({ buildId }) => ({ handlers: [createRedisHandler({ client, keyPrefix: `${buildId}:`, timeoutMs: LATE })] }));
  const context = handlerContext(dir);
  return () => new CacheHandler(context);
}

/** "Option A" of its README; what is given besides is what its wrapper of "Option B" would give. */
async function trieb(server, dir) {
  process.env.VERCEL_ENV = 'production'; // database 0
  const { default: Handler } = require(path.join(process.env.BENCH_TRIEB, '@trieb.work/nextjs-turbo-redis-cache'));
  const context = { ...handlerContext(dir), redisUrl: server.tcp, getTimeoutMs: LATE };
  // The first says on stdout that it was made: that is the measurement's.
  const { log } = console;
  console.log = () => {};
  new Handler(context);
  console.log = log;
  return () => new Handler(context);
}

const handlers = {
  'larder': larder({}),
  'larder, uncompressed': larder({ LARDER_COMPRESS: 'off' }),
  'larder, no memory': larder({ LARDER_MEMORY: '0' }),
  'larder, no memory, uncompressed': larder({ LARDER_MEMORY: '0', LARDER_COMPRESS: 'off' }),
  'fortedigital': fortedigital,
  'trieb': trieb,
};

module.exports = { handlers };
