'use strict';
/* 'use cache' in two servers on one store: `larder/use-cache` behind "default" and "remote". */
const fs = require('node:fs');
const path = require('node:path');
const { test, eventually, revalidate, stored, assert } = require('./harness.js');

/** @param {{ major: number, app: string, a: any, b: any, origin: any }} world */
async function useCache({ major, app, a, b, origin }) {
  await test('what A cached, B has: both names, of 100 KB', async () => {
    const first = await stored(a, '/uc/x');
    assert.equal(first.status, 200, first.body);
    assert.equal(first.field('big'), '100000');
    const again = await a.get('/uc/x');
    assert.equal(again.serial, first.serial);
    const second = await b.get('/uc/x');
    assert.equal(second.serial, first.serial);
    assert.equal(second.field('remote'), first.field('remote'));
    assert.equal(second.field('big'), '100000');
  });

  await test('arguments are part of the key, of any bytes', async () => {
    const plain = await a.get('/uc/y');
    const odd = await stored(a, `/uc/${encodeURIComponent('é漢😀"\\ %')}`);
    assert.notEqual(odd.serial, plain.serial);
    assert.equal((await b.get(`/uc/${encodeURIComponent('é漢😀"\\ %')}`)).serial, odd.serial);
  });

  await test('revalidateTag on A: B generates again before it answers', async () => {
    const old = await stored(b, '/uc/x');
    const n = origin.bump('uc-x');
    await revalidate(a, 'tag=uc-x');
    const r = await stored(b, '/uc/x');
    assert.equal(r.n, n);
    assert.notEqual(r.serial, old.serial);
    assert.equal(r.field('remote'), old.field('remote'), 'what has other tags stays');
    assert.equal((await a.get('/uc/x')).serial, r.serial);
  });

  await test('revalidatePath: a soft tag, checked in get', async () => {
    const old = await stored(b, '/uc/x');
    const other = await stored(b, '/uc/y');
    await revalidate(a, 'path=/uc/x');
    const r = await stored(b, '/uc/x');
    assert.notEqual(r.serial, old.serial);
    assert.equal((await a.get('/uc/x')).serial, r.serial);
    assert.equal((await b.get('/uc/y')).serial, other.serial);
  });

  if (major >= 16) {
    await test('revalidateTag(tag, "max"): the old value once more, then the new', async () => {
      const old = await stored(b, '/uc/x');
      const n = origin.bump('uc-x');
      await revalidate(a, 'tag=uc-x&profile=max');
      assert.equal((await b.get('/uc/x')).serial, old.serial);
      await eventually(async () => assert.equal((await b.get('/uc/x')).n, n));
      const fresh = await stored(b, '/uc/x');
      assert.equal((await a.get('/uc/x')).serial, fresh.serial);
      assert.equal((await b.get('/uc/x')).serial, fresh.serial, 'and it stays');
    });
  }

  await test('a get during a set waits for it: one generation for a crowd', async () => {
    const before = origin.asked.get('uc-crowd') ?? 0;
    const all = await Promise.all(Array.from({ length: 6 }, () => a.get('/uc/crowd')));
    assert.ok(all.every((r) => r.status === 200));
    const late = await b.get('/uc/crowd');
    assert.ok(all.some((r) => r.serial === late.serial));
    assert.ok((origin.asked.get('uc-crowd') ?? 0) - before <= 6);
  });

  await test('a page made of cached parts alone: prerendered, shared, revalidated', async () => {
    const html = fs.readFileSync(path.join(app, '.next/server/app/whole/built.html'), 'utf8');
    for (const server of [a, b]) {
      const r = await server.get('/whole/built');
      assert.equal(r.cache, 'HIT');
      assert.equal(r.serial, html.match(/\[serial:([^\]]*)\]/)[1]);
      assert.equal(r.headers['x-nextjs-postponed'], undefined);
    }
    const n = origin.bump('whole-built');
    await revalidate(a, 'tag=whole-built');
    const fresh = await stored(b, '/whole/built');
    assert.equal(fresh.n, n);
    assert.equal((await a.get('/whole/built')).serial, fresh.serial);
    const made = await stored(a, '/whole/made');
    assert.equal((await b.get('/whole/made')).serial, made.serial);
  });

  if (major >= 16) {
    await test('partial prerendering: the shell is shared and revalidated, the rest is of each request', async () => {
      const first = await a.get('/shell/built');
      const second = await b.get('/shell/built');
      assert.equal(first.headers['x-nextjs-postponed'], '1');
      assert.equal(second.serial, first.serial);
      assert.ok(first.field('dynamic') && second.field('dynamic'));
      assert.notEqual(second.field('dynamic'), first.field('dynamic'));
      const n = origin.bump('shell-built');
      await revalidate(b, 'tag=shell-built');
      for (const server of [a, b]) {
        const r = await server.get('/shell/built');
        assert.equal(r.n, n);
        assert.ok(r.field('dynamic'));
      }
      // A navigation in the browser: the dynamic part is in it.
      let rsc = await a.get('/shell/built', { RSC: '1' });
      if (rsc.status === 307) rsc = await a.get(rsc.headers.location, { RSC: '1' });
      assert.equal(rsc.status, 200);
      assert.match(rsc.body, /\[dynamic:/);
    });
  }

  await test('an error in a cached function is not kept', async () => {
    const bad = `bad-${Date.now()}`;
    origin.broken.add(`uc-${bad}`);
    // Inside <Suspense> the status is sent before the error.
    assert.equal((await a.get(`/uc/${bad}`)).serial, undefined);
    origin.broken.delete(`uc-${bad}`);
    const good = await stored(a, `/uc/${bad}`);
    assert.ok(good.serial);
    assert.equal((await b.get(`/uc/${bad}`)).serial, good.serial);
  });

  await test('neither server had anything to complain about', async () => {
    assert.deepEqual([...a.complaints(), ...b.complaints()], []);
  });
}

module.exports = { useCache };
