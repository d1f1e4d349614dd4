'use strict';
/*
 * Larder and OpenNext on one table: what an OpenNext process writes, as it writes it, and what Larder makes of it;
 * and the reverse.
 *
 *   node opennext.js LARDER URL
 *       LARDER is the command, URL a store whose schema is opennext, build-id `b1` and namespace `default`
 *
 * Its clock is the machine's, so times are set back, and nothing waits.  The form of the items is that of
 * @opennextjs/aws 4.1 (dynamodb-nextMode).
 */
const assert = require('node:assert/strict');
const path = require('node:path');
const { BUILD, ask, createTable, main, plain, put, putNamespaceMark, run, runAt, table, url, verdict } = require('./opennext_rig');

const second = 1000;
const hour = 3600 * second;

// ---- OpenNext -------------------------------------------------------------------------------------------

const keyOf = (tag) => path.posix.join(BUILD, '_tag', tag);

/** writeTags() of a process whose clock shows `now`. */
function writeTag(tag, now, { stale, expire } = {}) {
  const Item = { path: { S: keyOf(tag) }, tag: { S: keyOf(tag) }, revalidatedAt: { N: `${now}` } };
  if (stale !== undefined) Item.stale = { N: `${stale}` };
  if (expire !== undefined) Item.expire = { N: `${expire}` };
  return ask('BatchWriteItem', { RequestItems: { [table]: [{ PutRequest: { Item } }] } });
}

async function itemOf(tag) {
  const Keys = [{ path: { S: keyOf(tag) }, tag: { S: keyOf(tag) } }];
  const { Responses } = await ask('BatchGetItem', { RequestItems: { [table]: { Keys } } });
  const [item] = Responses[table];
  return plain(item);
}

/** hasBeenRevalidated() of dynamodb-nextMode. */
async function isRevalidated(tag, lastModified) {
  const { expire, revalidatedAt } = await itemOf(tag);
  return (expire <= Date.now() && expire > lastModified) || revalidatedAt > lastModified;
}

// ---- what must hold ----------------------------------------------------------------------------------------

const tests = {
  // dynalite takes an UpdateTable that adds an index and does nothing, so `provision` is for the unit tests.
  async 'tags need no more than the table that OpenNext has'() {
    await createTable();
    await run('ping');
    await putNamespaceMark();
  },

  async 'the build id is that of the OpenNext process, and must be known'() {
    const bare = url.replace(`build-id=${BUILD}`, '');
    await runAt(bare, { OPEN_NEXT_BUILD_ID: BUILD, NEXT_BUILD_ID: 'other' }, ['revalidate', 'env']);
    assert.ok(await itemOf('env'));
    await assert.rejects(runAt(bare, {}, ['ping']), /schema opennext needs build-id/);
  },

  async 'another schema is refused by its name'() {
    await assert.rejects(runAt(url.replace('schema=opennext', 'schema=x'), {}, ['ping']), /and not 'x'/);
  },

  async 'what OpenNext writes is judged as Next.js judges it'() {
    const now = Date.now();
    const at = (ago) => now - ago * second;
    const rows = [
      // tag, written at, {stale, expire}, entry rendered at, verdict
      ['a', at(10), { expire: at(10) }, at(20), 'gone'],
      ['b', at(10), { stale: at(10), expire: at(-60) }, at(20), 'stale'],
      ['c', at(70), { stale: at(70), expire: at(10) }, at(80), 'gone'],
      ['d', at(10), { stale: at(10) }, at(20), 'stale'],
      ['e', at(10), {}, at(20), 'gone'],
      ['f', at(10), { stale: at(10), expire: at(-60) }, at(5), 'fresh'],
      ['g', at(70), { stale: at(70), expire: at(10) }, at(65), 'fresh'], // Next.js renders it once more
      ['h', at(10), { expire: at(10) }, at(10), 'fresh'],
      ['x//y/./z', at(10), {}, at(20), 'gone'],
      ['_N_T_/layout', at(10), {}, at(20), 'gone'],
      ['../elsewhere', at(10), {}, at(20), 'fresh'], // not of this build, by its key
    ];
    for (const [tag, written, durations, rendered, expected] of rows) {
      await put(`row ${tag}`, [tag], rendered);
      await writeTag(tag, written, durations);
      assert.equal(await verdict(`row ${tag}`), expected, `row ${tag}`);
    }
  },

  async 'what Larder writes is an item of OpenNext'() {
    const before = Date.now();
    await run('revalidate', 'gone');
    await run('revalidate', 'stale', '--expire-in', '60s');
    const { lw, ...gone } = await itemOf('gone');
    assert.deepEqual(gone, { tag: keyOf('gone'), path: keyOf('gone'), revalidatedAt: lw });
    assert.ok(lw >= before && lw <= Date.now() + second);
    const { lw: at, ...stale } = await itemOf('stale');
    assert.deepEqual(stale, { tag: keyOf('stale'), path: keyOf('stale'), revalidatedAt: at, stale: at, expire: stale.expire });
    assert.ok(stale.expire >= before + 60 * second && stale.expire <= Date.now() + 60 * second);
    assert.ok(await isRevalidated('gone', before - 1) && !(await isRevalidated('gone', lw)));
    assert.ok(await isRevalidated('stale', before - 1) && !(await isRevalidated('stale', at)));
    const { Items } = await ask('Query', { TableName: table, IndexName: 'revalidate', KeyConditionExpression: '#key = :key',
      ExpressionAttributeNames: { '#key': 'path' }, ExpressionAttributeValues: { ':key': { S: keyOf('gone') } } });
    assert.equal(Items.length, 1);
  },

  async 'a revalidation of Larder survives OpenNext writing over it, by a clock that is behind'() {
    const now = Date.now();
    await put('behind', ['behind'], now - hour);
    await run('revalidate', 'behind');
    await writeTag('behind', now - 2 * hour);
    assert.equal((await itemOf('behind')).lw, undefined);
    assert.equal(await verdict('behind'), 'gone');
  },

  async 'a revalidation of OpenNext survives Larder writing over it'() {
    const now = Date.now();
    await put('over', ['over'], now - hour);
    await writeTag('over', now - hour / 2);
    await run('revalidate', 'over', '--expire-in', '1h');
    assert.ok((await itemOf('over')).lw);
    assert.equal(await verdict('over'), 'gone');
    assert.ok(await isRevalidated('over', now - hour));
  },

  async 'a clock of OpenNext that is ahead outdates no later revalidation of Larder'() {
    await writeTag('ahead', Date.now() + hour);
    await put('ahead', ['ahead', 'other']);
    assert.equal(await verdict('ahead'), 'gone'); // and the counter has caught up
    await put('ahead', ['ahead', 'other']);
    assert.equal(await verdict('ahead'), 'fresh');
    await run('revalidate', 'other');
    assert.equal(await verdict('ahead'), 'gone');
  },
};

main(tests);
