'use strict';
/* What Next.js makes of the answers is imitated here; tests/next has the real one. */
const test = require('node:test');
const assert = require('node:assert/strict');
const answer = require('../lib/answer.js');
const { make } = require('../lib/internals.js');

const FRESH = 1;
const STALE = 2;
const SECOND = 1000;

function next(version, tables = {}) {
  return make(version, {
    tagsManifest: new Map(),
    ...(version >= '15.2' ? { controls: new Map() } : { timings: new Map() }),
    ...tables,
  });
}

function page(tags = ['_N_T_/layout', '_N_T_/x', 't']) {
  return { kind: 'APP_PAGE', html: '', headers: tags.length ? { 'x-next-cache-tags': tags.join(',') } : {} };
}

function got(verdict, ageS, revalidate = 600 * SECOND, expire = NaN) {
  return { verdict, modified: Date.now() - ageS * SECOND, revalidate, expire };
}

/** What IncrementalCache of that version decides for a page: undefined, true, or -1. */
function judged(n, key, data) {
  const now = performance.timeOrigin + performance.now();
  let control =
    n.controls?.get(key) ?? (n.timings?.has(key) ? { revalidate: n.timings.get(key) } : undefined);
  if (n.atLeast(16, 4) && data.cacheControl) control = data.cacheControl;
  if (data.lastModified === -1) return -1;
  const lastModified = data.lastModified || now;
  const revalidate = control ? control.revalidate : 1;
  const after = typeof revalidate === 'number' ? revalidate * 1000 + lastModified : false;
  if (n.atLeast(16, 3) && typeof control?.expire === 'number' && lastModified + control.expire * 1000 < now)
    return -1;
  if (after !== false && after < now) return true;
  if (n.atLeast(16)) {
    for (const tag of answer.headerTags(data.value)) {
      const times = n.tagsManifest.get(tag);
      if (times?.expired <= now && times.expired > lastModified) return -1;
    }
    for (const tag of answer.headerTags(data.value))
      if (n.tagsManifest.get(tag)?.stale > lastModified) return true;
  }
  return undefined;
}

const VERSIONS = ['14.2.35', '15.0.8', '15.5.29', '16.0.11', '16.2.12', '16.3.8', '16.4.6', '17.0.0'];
/** "Serve it and refresh": -1 up to 16.2, true after. */
const stale = (n) => (n.atLeast(16, 3) ? [true] : [-1, true]);

for (const version of VERSIONS) {
  test(`${version}: what another process renders is served, and not rendered here`, () => {
    for (const revalidate of [5 * SECOND, 600 * SECOND, Infinity, NaN]) {
      const n = next(version);
      const data = answer.page(n, '/x', page(), answer.servable(got(answer.RENEWING, 30, revalidate)));
      assert.equal(judged(n, '/x', data), undefined, String(revalidate));
      assert.ok(data.cacheControl.revalidate <= 1, 'caches between ask again soon');
    }
  });

  test(`${version}: a fresh page is a HIT in a process that did not write it`, () => {
    for (const revalidate of [600 * SECOND, Infinity]) {
      const n = next(version);
      const data = answer.page(n, '/x', page(), got(FRESH, 30, revalidate));
      assert.equal(judged(n, '/x', data), undefined);
    }
  });

  test(`${version}: a stale page is served and refreshed`, () => {
    for (const value of [
      page(),
      page([]),
      { kind: 'PAGES', html: '', headers: {} },
      { kind: 'REDIRECT', props: {} },
    ]) {
      for (const revalidate of [600 * SECOND, Infinity, NaN]) {
        for (const expire of [NaN, 86400 * SECOND, 601 * SECOND]) {
          const n = next(version);
          const data = answer.page(n, '/x', value, got(STALE, 30, revalidate, expire));
          assert.ok(
            stale(n).includes(judged(n, '/x', data)),
            `${value.kind} ${revalidate} ${expire}: ${judged(n, '/x', data)}`,
          );
        }
      }
    }
  });

  test(`${version}: a page that is due is served and refreshed`, () => {
    const n = next(version);
    assert.equal(judged(n, '/x', answer.page(n, '/x', page(), got(FRESH, 700))), true);
  });

  test(`${version}: after a stale answer a new rendering is a HIT`, () => {
    const n = next(version);
    answer.page(n, '/x', page(), got(STALE, 30));
    assert.equal(judged(n, '/x', answer.page(n, '/x', page(), got(FRESH, 0))), undefined);
  });

  test(`${version}: the times of this process's own table do not make a fresh page stale or gone`, () => {
    const now = Date.now();
    for (const times of [
      { expired: now },
      { stale: now },
      { stale: now, expired: now - 5 },
      { expired: now + 50_000, stale: now },
    ]) {
      const n = next(version);
      n.tagsManifest?.set('t', times);
      const data = answer.page(n, '/x', page(), got(FRESH, 20));
      assert.equal(judged(n, '/x', data), undefined, JSON.stringify(times));
    }
  });

  test(`${version}: nor a stale one gone`, () => {
    const n = next(version);
    n.tagsManifest?.set('t', { expired: Date.now() - 1 });
    assert.ok(stale(n).includes(judged(n, '/x', answer.page(n, '/x', page(), got(STALE, 20)))));
  });

  test(`${version}: nor one that is due and older than they are`, () => {
    const n = next(version);
    n.tagsManifest?.set('t', { expired: Date.now() - 1 });
    assert.equal(judged(n, '/x', answer.page(n, '/x', page(), got(FRESH, 700))), true);
  });

  test(`${version}: a page past its expire is rendered first, where Next.js does that`, () => {
    const n = next(version);
    const data = answer.page(n, '/x', page(), got(FRESH, 700, 60 * SECOND, 600 * SECOND));
    assert.equal(judged(n, '/x', data), n.atLeast(16, 3) ? -1 : true);
  });

  test(`${version}: fetch: fresh, due and stale`, () => {
    const cases = [
      [got(FRESH, 30), 600, false],
      [got(FRESH, 30), false, false],
      [got(FRESH, 700), 600, true],
      [got(STALE, 30), 600, true],
      [got(STALE, 30), 31536000, true],
      [got(STALE, 30), 4294967294, true],
    ];
    for (const own of [undefined, { expired: Date.now() - 1 }, { stale: Date.now() }]) {
      for (const [g, revalidate, expected] of cases) {
        const n = next(version);
        if (own) n.tagsManifest?.set('t', own);
        const value = { kind: 'FETCH', data: {}, revalidate: revalidate || 31536000 };
        const data = answer.fetched(n, value, g, { revalidate, tags: ['t'] }, ['t']);
        const age = (Date.now() - (data.lastModified || 0)) / 1000;
        let isStale = age > value.revalidate;
        if (n.atLeast(16)) {
          const times = n.tagsManifest.get('t');
          assert.ok(
            !(times?.expired <= Date.now() && times.expired > data.lastModified),
            'it would be dropped',
          );
          if (times?.stale > data.lastModified) isStale = true;
        }
        assert.equal(isStale, expected, `${JSON.stringify(own)} ${revalidate} verdict ${g.verdict}`);
      }
    }
  });
}

test('what marks an entry stale says nothing of others with its tags', () => {
  const n = next('16.4.6');
  answer.page(n, '/x', page(['_N_T_/layout', '_N_T_/x', 't']), got(STALE, 30));
  assert.deepEqual([...n.tagsManifest.keys()], ['_N_T_/x']);
});

test('where no table of Next.js is found, a fresh page is as old as now', () => {
  const n = make('15.5.29', {});
  const before = Date.now();
  assert.ok(answer.page(n, '/x', page(), got(FRESH, 30)).lastModified >= before);
  const due = got(FRESH, 700);
  assert.equal(answer.page(n, '/x', page(), due).lastModified, due.modified);
});

test('root has two names in the tables', () => {
  const n = next('15.4.0');
  answer.page(n, '/index', page(), got(FRESH, 1, 60 * SECOND, 90 * SECOND));
  assert.deepEqual([...n.controls.keys()], ['/index', '/']);
  assert.deepEqual(n.controls.get('/'), { revalidate: 60, expire: 90 });
  assert.equal(answer.toRoute('/a/index'), '/a');
  assert.equal(answer.toRoute('/a/'), '/a');
});

test('an image that is stale is older than any lifetime', () => {
  assert.equal(answer.image({ kind: 'IMAGE' }, { verdict: STALE, modified: 5 }).lastModified, 1);
  assert.equal(answer.image({ kind: 'IMAGE' }, { verdict: FRESH, modified: 5 }).lastModified, 5);
});
