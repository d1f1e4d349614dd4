'use strict';
/*
 * What the handler costs beside the addon: one page of 16 (200 KB html, 100 KB rscData, three
 * segments), read through a new handler each time, as Next.js does, from a store that answers at
 * once with what the addon answered.  The other line is that store alone.
 *
 *   node bindings/node/bench/handler.js [reads]
 */
process.env.LARDER_CACHE = 'memory:';
const { LarderHandler } = require('../lib/handler.js');
const { store } = require('../lib/state.js');

const reads = Number(process.argv[2] ?? 20000);
const rscData = Buffer.alloc(100_000, 'r');
const value = {
  kind: 'APP_PAGE',
  html: 'x'.repeat(200_000),
  rscData,
  headers: {
    'x-nextjs-stale-time': '300',
    'x-nextjs-prerender': '1',
    'x-next-cache-tags': '_N_T_/layout,_N_T_/isr,isr',
  },
  status: 200,
  segmentData: new Map([
    ['/_tree', Buffer.alloc(150)],
    ['/_full', rscData],
    ['/isr/__PAGE__', Buffer.alloc(90_000, 'p')],
  ]),
};
const GET = { kind: 'APP_PAGE', isRoutePPREnabled: false, isFallback: false };

async function measure(name, fn) {
  for (let i = 0; i < 300; i++) await fn();
  const rounds = [];
  for (let round = 0; round < 5; round++) {
    const begin = process.hrtime.bigint();
    for (let i = 0; i < reads; i++) await fn();
    rounds.push(Number(process.hrtime.bigint() - begin) / reads / 1000);
  }
  rounds.sort((a, b) => a - b);
  console.log(
    `${name}: ${rounds[0].toFixed(1)} us a read at best, ${rounds[2].toFixed(1)} in the median of 5`,
  );
  return rounds[0];
}

(async () => {
  const h = new LarderHandler({ dev: true });
  await h.get('/bench', GET); // as Next.js does: without it the entry would be as old as no epoch
  await h.set('/bench', value, { cacheControl: { revalidate: 600, expire: 3600 } });
  const s = store();
  if (!s) process.exit(1);
  const got = await s.get(1, 'development', '/bench', null, 16);
  if (got.verdict !== 1) throw new Error(`no hit: ${got.verdict}`);
  s.get = () => Promise.resolve(got);
  const alone = await measure('a store that answers at once', () => s.get());
  // Next.js makes a handler for each request.
  const all = await measure('the handler on it           ', () =>
    new LarderHandler({ dev: true }).get('/bench', GET),
  );
  console.log(`the handler: ${(all - alone).toFixed(1)} us`);
})();
