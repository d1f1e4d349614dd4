'use strict';
/* Two servers, A and B, on one store: what one does, the other must know at once. */
const fs = require('node:fs');
const path = require('node:path');
const { test, sleep, eventually, revalidate, storing, stored, missed, assert } = require('./harness.js');

/** Longer than the second after which Next.js calls due what another process rendered. */
const PAST_DEFAULT_MS = 1300;

/** @param {{ major: number, app: string, a: any, b: any, origin: any }} world */
async function pages({ major, app, a, b, origin }) {
  const html = (name) => fs.readFileSync(path.join(app, '.next/server', name), 'utf8');
  const serialOf = (text) => text.match(/\[serial:([^\]]*)\]/)[1];
  await test('what was prerendered is a HIT on the first request, in each process', async () => {
    for (const server of [a, b]) {
      for (const [url, file] of [
        ['/', 'app/index.html'],
        ['/isr', 'app/isr.html'],
        ['/post/1', 'app/post/1.html'],
        ['/p/built', 'pages/p/built.html'],
      ]) {
        const r = await server.get(url);
        assert.equal(r.status, 200);
        assert.equal(r.cache, 'HIT', url);
        assert.equal(r.serial, serialOf(html(file)), `${url} is the build's`);
      }
      const item = await server.get('/api/item/built');
      assert.equal(item.cache, 'HIT');
      const go = await server.get('/go');
      assert.equal(go.status, 307);
      // 14 leaves it out of what it prerenders, and says it in the html.
      if (major >= 15) assert.equal(go.headers.location, '/isr');
      assert.equal(go.cache, 'HIT');
    }
  });

  await test('Cache-Control of a prerendered page is what Next.js gives without a handler', async () => {
    const r = await b.get('/isr');
    assert.match(r.headers['cache-control'], /s-maxage=600/);
    const home = await b.get('/');
    assert.match(home.headers['cache-control'], /s-maxage=31536000/);
  });

  await test('a page that A rendered is a HIT in B, with its lifetime', async () => {
    const first = await stored(a, '/post/shared');
    assert.ok(missed(first), first.cache);
    await sleep(PAST_DEFAULT_MS);
    const second = await b.get('/post/shared');
    assert.equal(second.cache, 'HIT');
    assert.equal(second.serial, first.serial);
    assert.match(second.headers['cache-control'], /s-maxage=600/);
    assert.equal(second.headers['cache-control'], (await a.get('/post/shared')).headers['cache-control']);
  });

  await test('revalidateTag on A: B renders before it answers', async () => {
    for (const url of ['/post/1', '/post/shared']) await stored(b, url);
    const n = origin.bump('post-shared');
    const built = origin.bump('post-1');
    await revalidate(a, 'tag=posts');
    const r = await b.get('/post/shared');
    assert.equal(r.n, n);
    assert.ok(missed(r), r.cache);
    assert.equal((await b.get('/post/1')).n, built, 'a prerendered page as well');
    assert.equal((await a.get('/post/1')).n, built);
    await sleep(PAST_DEFAULT_MS);
    for (const server of [a, b]) assert.equal((await server.get('/post/shared')).cache, 'HIT');
    assert.equal((await a.get('/post/shared')).n, n);
  });

  await test('revalidatePath on B: A renders before it answers', async () => {
    await a.get('/isr');
    const n = origin.bump('isr');
    await revalidate(b, 'path=/isr');
    assert.equal((await a.get('/isr')).n, n);
    assert.equal((await b.get('/isr')).n, n);
    const pattern = origin.bump('post-shared');
    await revalidate(b, `path=${encodeURIComponent('/post/[id]')}&type=page`);
    assert.equal((await a.get('/post/shared')).n, pattern);
  });

  await test("revalidatePath('/', 'layout') reaches all", async () => {
    const before = (await a.get('/')).serial;
    await revalidate(b, 'path=/&type=layout');
    const after = await stored(a, '/');
    assert.notEqual(after.serial, before);
    assert.equal((await b.get('/')).serial, after.serial);
  });

  if (major >= 16) {
    await test('revalidateTag(tag, "max"): B serves the old page and refreshes it', async () => {
      for (const server of [a, b]) await stored(server, '/post/max');
      const old = await b.get('/post/max');
      const n = origin.bump('post-max');
      await revalidate(a, 'tag=post-max&profile=max');
      const stale = await b.get('/post/max');
      assert.equal(stale.cache, 'STALE');
      assert.equal(stale.serial, old.serial);
      assert.match(stale.headers['cache-control'], /s-maxage=600/, 'its lifetime is as it was');
      await eventually(async () => {
        const r = await b.get('/post/max');
        assert.equal(r.n, n);
        assert.equal(r.cache, 'HIT');
      });
      assert.equal((await a.get('/post/max')).n, n);
      await sleep(PAST_DEFAULT_MS);
      for (const server of [a, b]) assert.equal((await server.get('/post/max')).cache, 'HIT');
    });

    await test('revalidateTag(tag, "max") for a route handler and a static page', async () => {
      await stored(a, '/api/item/max');
      const n = origin.bump('item-max');
      await revalidate(b, 'tag=items&profile=max');
      assert.equal((await a.get('/api/item/max')).cache, 'STALE');
      await eventually(async () => assert.equal((await a.get('/api/item/max')).n, n));
      await eventually(async () => assert.equal((await b.get('/api/item/max')).cache, 'HIT'));
      // revalidate: false, so no age makes it stale.
      const home = await stored(a, '/');
      await revalidate(b, `tag=${encodeURIComponent('_N_T_/')}&profile=max`);
      const stale = await a.get('/');
      assert.equal(stale.cache, 'STALE');
      assert.equal(stale.serial, home.serial);
      await eventually(async () => assert.equal((await a.get('/')).cache, 'HIT'));
      assert.match((await a.get('/')).headers['cache-control'], /s-maxage=31536000/);
    });

    await test('revalidateTag(tag, {expire: 1}): stale for a second, then gone', async () => {
      await stored(a, '/post/soon');
      const n = origin.bump('post-soon');
      await revalidate(a, 'tag=post-soon&expire=1');
      await sleep(1500);
      const r = await b.get('/post/soon');
      assert.equal(r.n, n);
      assert.ok(missed(r), r.cache);
      await sleep(PAST_DEFAULT_MS);
      for (const server of [a, b]) {
        assert.equal((await server.get('/post/soon')).cache, 'HIT', 'and it is cached again');
      }
    });

    await test('revalidateTag(tag, {expire: 0}): B renders before it answers', async () => {
      await stored(b, '/post/zero');
      const n = origin.bump('post-zero');
      await revalidate(a, 'tag=post-zero&expire=0');
      assert.equal((await b.get('/post/zero')).n, n);
    });
  }

  await test('an entry that is due is served and refreshed, for both', async () => {
    const first = await eventually(async () => {
      const r = await a.get('/short');
      assert.equal(r.cache, 'HIT');
      return r;
    });
    await sleep(2300);
    const stale = await a.get('/short');
    assert.equal(stale.cache, 'STALE');
    assert.equal(stale.serial, first.serial);
    const fresh = await eventually(async () => {
      const r = await b.get('/short');
      assert.notEqual(r.serial, first.serial);
      return r;
    });
    assert.equal(fresh.status, 200);
  });

  await test('fetch and unstable_cache are shared, and revalidated for both', async () => {
    const first = await stored(a, '/data');
    assert.equal(first.status, 200, first.body);
    origin.bump('fetch');
    const second = await b.get('/data');
    assert.equal(second.n, first.n);
    assert.equal(second.field('u'), first.field('u'));
    assert.equal(second.field('length'), first.field('length'));
    await revalidate(b, 'tag=fetch&tag=unstable');
    const third = await stored(a, '/data');
    assert.equal(third.n, first.n + 1);
    assert.notEqual(third.field('u'), first.field('u'));
    const fourth = await b.get('/data');
    assert.equal(fourth.n, third.n);
    assert.equal(fourth.field('u'), third.field('u'));
  });

  if (major >= 16) {
    await test('fetch, revalidateTag(tag, "max"): the old data once more, then the new', async () => {
      const before = (await stored(a, '/data')).n;
      origin.bump('fetch');
      await revalidate(a, 'tag=fetch&profile=max');
      assert.equal((await b.get('/data')).n, before);
      await eventually(async () => assert.equal((await stored(b, '/data')).n, before + 1));
      assert.equal((await a.get('/data')).n, before + 1);
    });
  }

  await test('the bytes of a route handler are the bytes', async () => {
    const expected = Buffer.from(Uint8Array.from({ length: 1024 }, (_, i) => i & 255));
    await revalidate(a, 'path=/api/bin');
    const first = await storing(a, 1, () => a.get('/api/bin'));
    const second = await b.get('/api/bin');
    for (const r of [first, second]) {
      assert.ok(r.bytes.equals(expected));
      assert.equal(r.headers['content-type'], 'application/octet-stream');
    }
    assert.equal(second.cache, 'HIT');
    assert.equal(second.headers['x-made'], first.headers['x-made']);
  });

  await test('route handlers are revalidated by tag', async () => {
    const first = await stored(a, '/api/item/x');
    assert.equal((await b.get('/api/item/x')).headers['x-made'], first.headers['x-made']);
    const n = origin.bump('item-x');
    await revalidate(a, 'tag=items');
    assert.equal((await b.get('/api/item/x')).n, n);
  });

  await test('pages router: shared, and revalidated on demand and by path', async () => {
    const first = await stored(a, '/p/x');
    await sleep(PAST_DEFAULT_MS);
    const second = await b.get('/p/x');
    assert.equal(second.cache, 'HIT');
    assert.equal(second.serial, first.serial);
    assert.match(second.headers['cache-control'], /s-maxage=600/);
    const n = origin.bump('p-x');
    assert.equal((await storing(a, 1, () => a.get('/api/on-demand?path=/p/x'))).status, 200);
    const third = await b.get('/p/x');
    assert.equal(third.n, n);
    assert.equal(third.cache, 'HIT');
    origin.bump('p-x');
    await revalidate(b, 'path=/p/x');
    assert.equal((await stored(a, '/p/x')).n, n + 1);
  });

  await test('pages router: the data of a page is that of its html', async () => {
    const id = fs.readFileSync(path.join(app, '.next/BUILD_ID'), 'utf8').trim();
    const page = await a.get('/p/x');
    const data = await b.get(`/_next/data/${id}/p/x.json`);
    assert.equal(JSON.parse(data.body).pageProps.serial, page.serial);
  });

  await test('notFound and redirect are cached, of either router', async () => {
    const ask = async (server) => {
      const none = await server.get('/p/none');
      assert.equal(none.status, 404);
      const moved = await server.get('/p/moved');
      assert.equal(moved.status, 307);
      assert.equal(moved.headers.location, '/isr');
      const gone = await server.get('/gone/x');
      assert.equal(gone.status, 404);
      return [moved.cache, gone.cache];
    };
    await storing(a, 3, () => ask(a));
    assert.deepEqual(await ask(b), ['HIT', 'HIT']);
    await revalidate(a, 'path=/p/none');
    assert.equal((await b.get('/p/none')).status, 404);
    assert.equal((await a.get('/not/there')).status, 404);
  });

  await test('a large page with any characters is the same in both, as html and as RSC', async () => {
    const first = await storing(a, 1, () => a.get('/big/x'));
    const second = await b.get('/big/x');
    assert.equal(second.cache, 'HIT');
    assert.ok(second.bytes.equals(first.bytes));
    assert.match(second.body, /é漢😀/);
    const query = major >= 15 ? '/big/x?_rsc=1' : '/big/x';
    let one = await a.get(query, { RSC: '1' });
    let other = await b.get(query, { RSC: '1' });
    if (one.status === 307) {
      one = await a.get(one.headers.location, { RSC: '1' });
      other = await b.get(other.headers.location, { RSC: '1' });
    }
    assert.equal(one.status, 200);
    assert.match(one.headers['content-type'], /text\/x-component/);
    assert.ok(one.bytes.equals(other.bytes));
    assert.match(one.body, /é漢😀/);
  });

  if (major >= 16) {
    await test('prefetches of segments come from the cache, of a seed and of a rendered page', async () => {
      for (const url of ['/big/x', '/post/1']) {
        for (const segment of ['/_tree', '/_full']) {
          const headers = { RSC: '1', 'Next-Router-Prefetch': '1', 'Next-Router-Segment-Prefetch': segment };
          const at = async (server) => {
            let r = await server.get(url, headers);
            if (r.status === 307) r = await server.get(r.headers.location, headers);
            return r;
          };
          const one = await at(a);
          const other = await at(b);
          assert.equal(one.status, 200, `${url} ${segment}`);
          assert.ok(one.bytes.length > 0 && one.bytes.equals(other.bytes));
        }
      }
    });
  }

  await test('draft mode goes past the cache and leaves it as it is', async () => {
    const cached = await stored(a, '/isr');
    const cookie = (await a.get('/api/draft')).headers['set-cookie'].map((c) => c.split(';')[0]).join('; ');
    const one = await a.get('/isr', { cookie });
    const two = await a.get('/isr', { cookie });
    assert.notEqual(one.serial, cached.serial);
    assert.notEqual(two.serial, one.serial);
    assert.equal((await b.get('/isr')).serial, cached.serial);
  });

  await test('a revalidation that throws leaves the old page, and its age to revalidations', async () => {
    const first = await stored(a, '/flaky/x');
    assert.equal(first.status, 200);
    origin.broken.add('flaky-x');
    await sleep(2300);
    assert.equal((await a.get('/flaky/x')).serial, first.serial, 'the old page while it fails');
    await eventually(async () => assert.match(a.output, /the origin answered 500/));
    const kept = await a.get('/flaky/x');
    assert.equal(kept.status, 200);
    assert.equal(kept.serial, first.serial);
    // Stored again, it is still as old as its rendering: a revalidation that came between the
    // failure and now, or comes later, makes it go.
    await revalidate(b, 'tag=flaky-x');
    assert.equal((await a.get('/flaky/x')).status, 500);
    origin.broken.delete('flaky-x');
    const n = origin.bump('flaky-x');
    assert.equal((await a.get('/flaky/x')).n, n);
    assert.equal((await b.get('/flaky/x')).n, n);
  });

  await test('edge functions and middleware run', async () => {
    const edge = await stored(a, '/api/edge');
    assert.equal(edge.status, 200, edge.body);
    // Next.js lends them the handler of the server around them.
    const n = origin.bump('edge');
    assert.equal((await b.get('/api/edge')).n, edge.n);
    await revalidate(a, 'tag=edge');
    assert.equal((await b.get('/api/edge')).n, n);
    assert.equal((await a.get('/api/bin')).headers['x-middleware'], 'yes');
  });

  if (major >= 16) {
    await test('an optimised image is a HIT in the process that did not make it', async () => {
      const url = `/_next/image?url=${encodeURIComponent('/picture.png')}&w=64&q=75`;
      const headers = { accept: 'image/webp,*/*' };
      const first = await a.get(url, headers);
      assert.equal(first.status, 200, first.body);
      assert.equal(first.cache, 'MISS');
      await eventually(async () => assert.equal((await b.get(url, headers)).cache, 'HIT'));
      const second = await b.get(url, headers);
      assert.ok(second.bytes.equals(first.bytes));
      assert.equal(second.headers['content-type'], 'image/webp');
    });
  }

  await test('after quiet every page is a HIT by its second request, in both', async () => {
    await revalidate(a, 'tag=posts&tag=isr&tag=items&tag=flaky-x');
    await revalidate(a, 'path=/&type=layout');
    const urls = [
      '/',
      '/isr',
      '/post/1',
      '/post/shared',
      '/post/max',
      '/p/x',
      '/p/built',
      '/api/bin',
      '/api/item/x',
      '/big/x',
      '/go',
      '/gone/x',
    ];
    for (const url of urls) {
      await stored(a, url);
      assert.equal((await a.get(url)).cache, 'HIT', `${url} in A`);
      assert.equal((await b.get(url)).cache, 'HIT', `${url} in B`);
    }
    await sleep(PAST_DEFAULT_MS);
    for (const url of urls) {
      for (const server of [a, b]) assert.equal((await server.get(url)).cache, 'HIT', url);
    }
  });

  await test('eight requests for one cold page are one rendering', async () => {
    const before = origin.asked.get('post-crowd') ?? 0;
    const all = await Promise.all(Array.from({ length: 8 }, () => a.get('/post/crowd')));
    assert.equal(new Set(all.map((r) => r.serial)).size, 1);
    assert.equal((origin.asked.get('post-crowd') ?? 0) - before, 1);
  });

  await test('renderings race revalidations: nothing older than a revalidation is served after it', async () => {
    // Requests that run beside a revalidation may see either; Next.js itself lets one join another's
    // rendering.  Those that begin once all of them have ended may not.
    for (let i = 0; i < 15; i++) {
      const urls = ['/post/storm', '/p/storm', '/api/item/storm', '/data'];
      const beside = [];
      const noise = () => beside.push(...urls.flatMap((url) => [a.get(url), b.get(url)]));
      noise();
      const n = ['post-storm', 'p-storm', 'item-storm', 'fetch'].map((key) => origin.bump(key));
      noise();
      await revalidate(i % 2 ? a : b, 'tag=post-storm&tag=items&tag=fetch&path=/p/storm');
      await Promise.all(beside);
      for (const server of [a, b]) {
        const seen = await Promise.all(urls.map(async (url) => (await server.get(url)).n));
        assert.deepEqual(seen, n, `round ${i}`);
      }
    }
  });

  await test('neither server had anything to complain about', async () => {
    assert.deepEqual([...a.complaints(), ...b.complaints()], []);
  });
}

module.exports = { pages };
