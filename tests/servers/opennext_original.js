'use strict';
/*
 * Larder and OpenNext's tag cache `dynamodb`, the original mode, on one table: what an OpenNext process writes and
 * reads, as it does it, and what Larder makes of it; and the reverse.
 *
 *   node opennext_original.js LARDER URL
 *       LARDER is the command, URL a store whose schema is opennext-original, build-id `b1` and namespace `default`
 *
 * Its clock is the machine's, so times are set back, and nothing waits.  The form of the items, and what is asked for,
 * are those of @opennextjs/aws 4.1.
 */
const assert = require('node:assert/strict');
const path = require('node:path');
const { BUILD, ask, createTable, main, plain, put, putNamespaceMark, run, runAt, table, url, verdict } = require('./opennext_rig');

const second = 1000;
const hour = 3600 * second;
const AHEAD = 2 * second; // that Larder tells OpenNext in advance

// ---- OpenNext -------------------------------------------------------------------------------------------

const keyOf = (name) => path.posix.join(BUILD, name);
const nameOf = (key) => key.replace(`${BUILD}/`, '');
const isSoft = (tag) => tag.startsWith('_N_T_/');

async function query(body) {
  const { Items } = await ask('Query', { TableName: table, ...body });
  return Items.map(plain);
}

const itemsOf = (tag) => query({ KeyConditionExpression: '#tag = :tag',
  ExpressionAttributeNames: { '#tag': 'tag' }, ExpressionAttributeValues: { ':tag': { S: keyOf(tag) } } });

const itemsAt = (key, since) => query({ IndexName: 'revalidate',
  KeyConditionExpression: since === undefined ? '#path = :path' : '#path = :path AND revalidatedAt > :since',
  ExpressionAttributeNames: { '#path': 'path' },
  ExpressionAttributeValues: { ':path': { S: keyOf(key) }, ...(since === undefined ? {} : { ':since': { N: `${since}` } }) } });

/** Items of {tag, path, revalidatedAt, stale, expire}, in batches as they come. */
async function writeTags(items) {
  for (let at = 0; at < items.length; at += 25) {
    const requests = items.slice(at, at + 25).map(({ tag, path: name, ...numbers }) => {
      const given = Object.entries(numbers).filter(([, value]) => value !== undefined);
      return { PutRequest: { Item: { tag: { S: keyOf(tag) }, path: { S: keyOf(name) },
        ...Object.fromEntries(given.map(([key, value]) => [key, { N: `${value}` }])) } } };
    });
    await ask('BatchWriteItem', { RequestItems: { [table]: requests } });
  }
}

/** An entry that OpenNext stores: its tags become those of the path, unless they are already. */
async function store(key, tags) {
  const known = (await itemsAt(key)).map((item) => nameOf(item.tag));
  await writeTags(tags.filter((tag) => !known.includes(tag)).map((tag) => ({ tag, path: key, revalidatedAt: 1 })));
}

/** revalidateTag() of a process whose clock shows `now`; durations as Next.js hands them over. */
async function revalidate(tag, now, durations) {
  const numbers = durations
    ? { revalidatedAt: now, stale: now, expire: durations.expire === undefined ? undefined : now + durations.expire * second }
    : { revalidatedAt: now, expire: now };
  const told = new Map();
  const paths = (await itemsOf(tag)).map((item) => nameOf(item.path));
  const tell = (of, names) => names.forEach((name) => told.set(`${of} ${name}`, { tag: of, path: name, ...numbers }));
  tell(tag, paths);
  for (const name of isSoft(tag) ? paths : []) {
    const others = (await itemsAt(name)).map((item) => nameOf(item.tag)).filter((other) => !isSoft(other));
    for (const other of others) tell(other, (await itemsOf(other)).map((item) => nameOf(item.path)));
  }
  await writeTags([...told.values()]);
  return paths;
}

/** Whether an entry stored at `modified` is gone for OpenNext. */
async function isRevalidated(key, modified) {
  const now = Date.now();
  return (await itemsAt(key, modified)).some(({ expire }) =>
    expire === undefined || expire > now || (expire <= now && expire > modified));
}

/** As `put`, by a process that keeps an index. */
function putLinked(key, tags) {
  const words = tags.flatMap((tag) => ['--tag', tag]);
  return runAt(url, { LARDER_INDEX: 'true' }, ['put', '--kind', 'fetch', '--text', 'body=-', ...words, '--', key]);
}

const twinOf = async (tag) => (await itemsOf(tag)).find((item) => item.path === `${BUILD}/!larder/${tag}`);

// ---- what must hold ----------------------------------------------------------------------------------------

const tests = {
  async 'a tag has an item for OpenNext to revalidate as soon as it is judged'() {
    await createTable();
    await putNamespaceMark();
    await put('first', ['first']);
    assert.equal(await verdict('first'), 'fresh');
    const { expiresAt, ...twin } = await twinOf('first');
    assert.deepEqual(twin, { tag: 'b1/first', path: 'b1/!larder/first', revalidatedAt: 1, lk: 1 });
    assert.ok(expiresAt * second > Date.now() + 365 * 24 * hour);
  },

  async 'what OpenNext revalidates is outdated for Larder, as Next.js judges it'() {
    const now = Date.now();
    const at = (ago) => now - ago * second;
    const rows = [
      // tag, revalidated at, durations, entry rendered at, verdict
      ['a', at(10), undefined, at(20), 'gone'],
      ['b', at(10), { expire: 70 }, at(20), 'stale'],
      ['c', at(70), { expire: 60 }, at(80), 'gone'],
      ['d', at(10), {}, at(20), 'stale'],
      ['f', at(10), { expire: 70 }, at(5), 'fresh'],
      ['h', at(10), undefined, at(10), 'fresh'],
      ['x//y/./z', at(10), undefined, at(20), 'gone'],
      ['_N_T_/layout', at(10), undefined, at(20), 'gone'],
    ];
    for (const [tag, when, durations, rendered, expected] of rows) {
      await put(`row ${tag}`, [tag], rendered);
      assert.equal(await verdict(`row ${tag}`), 'fresh', `row ${tag}`);
      assert.equal((await revalidate(tag, when, durations)).length, 1);
      assert.equal(await verdict(`row ${tag}`), expected, `row ${tag}`);
    }
  },

  async 'what OpenNext revalidated before Larder knew the tag counts as well, and is kept'() {
    const now = Date.now();
    await store('page', ['before']);
    await store('other', ['before']);
    await revalidate('before', now - hour);
    await store('new', ['before']);
    await put('old', ['before'], now - 2 * hour);
    await put('young', ['before'], now - hour / 2);
    assert.equal(await verdict('old'), 'gone');
    assert.equal(await verdict('young'), 'fresh');
    const { fx, lk } = await twinOf('before');
    assert.deepEqual({ fx, lk }, { fx: now - hour, lk: 1 });
    assert.equal(await verdict('old'), 'gone');
  },

  async 'what Larder revalidates, OpenNext finds at each path of the tag'() {
    const before = Date.now();
    await store('about', ['_N_T_/about', 'team']);
    await store('home', ['team']);
    await run('revalidate', 'team');
    const items = await itemsOf('team');
    assert.deepEqual(items.map((item) => item.path), ['b1/!larder/team', 'b1/about', 'b1/home']);
    for (const { lw, ...item } of items.slice(1)) {
      assert.deepEqual(item, { tag: 'b1/team', path: item.path, revalidatedAt: lw });
      assert.ok(lw >= before + AHEAD && lw <= Date.now() + 2 * AHEAD);
    }
    for (const key of ['about', 'home']) assert.ok(await isRevalidated(key, before) && !(await isRevalidated(key, before + hour)));
  },

  async 'the second round of a revalidation writes to no item again'() {
    await store('once', ['once']);
    await run('revalidate', 'once');
    const [twin, item] = await itemsOf('once');
    assert.ok(item.revalidatedAt > twin.revalidatedAt && item.revalidatedAt < twin.revalidatedAt + AHEAD);
  },

  async 'more items than a page are told, and more than a batch'() {
    const before = Date.now();
    const keys = Array.from({ length: 60 }, (_, i) => `many/${i}`);
    await writeTags(keys.map((key) => ({ tag: 'many', path: key, revalidatedAt: 1 })));
    await run('revalidate', 'many', '--expire-in', '60s');
    for (const { path: key, revalidatedAt, stale, expire } of (await itemsOf('many')).slice(1)) {
      assert.ok(revalidatedAt >= before + AHEAD && stale === revalidatedAt, key);
      assert.ok(expire >= before + 60 * second && expire <= Date.now() + 60 * second, key);
    }
    assert.ok(await isRevalidated('many/59', before));
  },

  async 'a route takes the other tags of its paths with it, in both directions'() {
    const before = Date.now();
    await store('news/1', ['_N_T_/news', 'articles']);
    await store('data', ['articles']);
    await run('revalidate', '_N_T_/news');
    assert.ok(await isRevalidated('news/1', before));
    assert.ok(await isRevalidated('data', before)); // else the page would be made of what is in the data cache
    await put('article', ['articles'], before - hour);
    assert.equal(await verdict('article'), 'fresh'); // Larder judges by tags alone: the tag was not revalidated
    await revalidate('_N_T_/news', Date.now());
    assert.equal(await verdict('article'), 'gone');
  },

  async 'a twin leads to no other tag than its own'() {
    const now = Date.now();
    await put('alone', ['_N_T_/alone', 'lonely'], now - hour);
    assert.equal(await verdict('alone'), 'fresh');
    await revalidate('_N_T_/alone', now);
    assert.equal((await twinOf('lonely')).revalidatedAt, 1);
    assert.equal(await verdict('alone'), 'gone');
  },

  async 'what is linked, OpenNext finds; and no revalidation is undone by it'() {
    await putLinked('linked', ['l1', 'l2']);
    assert.deepEqual((await itemsAt('linked')).map((item) => nameOf(item.tag)).sort(), ['l1', 'l2']);
    assert.ok((await itemsAt('linked')).every((item) => item.revalidatedAt === 1));
    await revalidate('l1', Date.now() - second);
    await putLinked('linked', ['l1', 'l3']);
    const items = await itemsAt('linked');
    assert.deepEqual(items.map((item) => nameOf(item.tag)).sort(), ['l1', 'l2', 'l3']);
    assert.ok(items.find((item) => item.tag === 'b1/l1').revalidatedAt > 1);
  },

  async 'a revalidation of Larder survives OpenNext writing over it, by a clock that is behind'() {
    const now = Date.now();
    await put('behind', ['behind'], now - hour);
    await run('revalidate', 'behind');
    await revalidate('behind', now - 2 * hour);
    assert.equal((await twinOf('behind')).lw, undefined);
    assert.equal(await verdict('behind'), 'gone');
  },

  async 'a revalidation of OpenNext survives Larder writing over it'() {
    const now = Date.now();
    await put('over', ['over'], now - hour);
    await store('over', ['over']);
    assert.equal(await verdict('over'), 'fresh');
    await revalidate('over', now - hour / 2);
    await run('revalidate', 'over', '--expire-in', '1h');
    assert.ok((await twinOf('over')).lw);
    assert.equal(await verdict('over'), 'gone');
    assert.ok(await isRevalidated('over', now - hour));
  },

  async 'a clock of OpenNext that is ahead outdates no later revalidation of Larder'() {
    await put('ahead', ['ahead', 'other']);
    assert.equal(await verdict('ahead'), 'fresh');
    await revalidate('ahead', Date.now() + hour);
    assert.equal(await verdict('ahead'), 'gone'); // and the counter has caught up
    await put('ahead', ['ahead', 'other']);
    assert.equal(await verdict('ahead'), 'fresh');
    await run('revalidate', 'other');
    assert.equal(await verdict('ahead'), 'gone');
  },
};

main(tests);
