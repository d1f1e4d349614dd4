'use strict';
// Who is measured.  Each: open(url, {bytes}) resolves to {get(i), put(i), check(i)} for entries 0 to KEYS - 1.

const path = require('node:path');
const { TABLE } = require('./stub.js');
const { larderStore: openStore } = require('../lib/larder.js');

const KEYS = 64;
const REGION = 'eu-west-1';
const CREDENTIALS = { accessKeyId: 'AKIABENCH', secretAccessKey: 'bench' };
const MARK_AGE_MS = 1000;

/** No two of the same length, and longer than what else is read: by that the stub tells them apart. */
const key = (i) => `/blog/${'p'.repeat(100 + (i % KEYS))}`;
/** Of each entry; and what a check asks about. */
const tags = ['_N_T_/layout', '_N_T_/blog/layout', '_N_T_/blog/page', 'posts'];
const checked = Array.from({ length: 10 }, (_, i) => `tag-${i}`);

function body(bytes) {
  const block = Buffer.allocUnsafe(bytes);
  for (let i = 0, x = 1; i < bytes; i++) block[i] = (x = Math.imul(x, 1664525) + 1013904223) >>> 24;
  return block;
}

const larderUrl = (endpoint) =>
  `dynamodb://${TABLE}?endpoint=${endpoint}/larder&region=${REGION}&access-key=${CREDENTIALS.accessKeyId}&secret-key=${CREDENTIALS.secretAccessKey}`;

const larderStore = (url, settings) => openStore(larderUrl(url), settings);

function larder(settings) {
  return async (url, { bytes }) => {
    const { store, KIND } = larderStore(url, settings);
    const { known } = await store.epoch();
    const parts = [body(bytes)];
    const get = async (i) => {
      const answer = await store.get(KIND.PAGE, 'bench', key(i), null, 0);
      if (answer.verdict !== 1 || answer.parts[0].length !== bytes) throw new Error(`get: ${answer.verdict} ${answer.detail ?? ''}`);
    };
    const put = async (i, withTags = tags) => {
      const { status, detail } = await store.put({
        key: key(i), build: 'bench', kind: KIND.PAGE, epoch: known, modified: Date.now(), revalidate: NaN, expire: NaN,
        tags: withTags, meta: '{}', parts,
      });
      if (status !== 0) throw new Error(`put: ${detail}`);
    };
    const check = async () => {
      const { verdict, detail } = await store.check(checked, known);
      if (verdict < 0) throw new Error(`check: ${detail}`);
    };
    if (settings['mark-age']) {
      // What a process has not known for a mark-age it reads first.
      await store.check(tags, known);
      await new Promise((resolve) => setTimeout(resolve, MARK_AGE_MS + 50));
    }
    return { get, put, check };
  };
}

/** The same calls by the SDK, with its own keep-alive connections, and one attempt as nothing fails. */
function sdk({ marks }) {
  return async (url, { bytes }) => {
    const { DynamoDBClient, GetItemCommand, PutItemCommand, BatchGetItemCommand } =
      require(path.join(process.env.BENCH_SDK, '@aws-sdk/client-dynamodb'));
    const client = new DynamoDBClient({ endpoint: `${url}/sdk`, region: REGION, credentials: CREDENTIALS, maxAttempts: 1 });
    const value = body(bytes);
    const pageKey = (i) => ({ pk: { S: `sdk#e#${key(i)}` }, sk: { S: '#' } });
    const marksOf = (names) => client.send(new BatchGetItemCommand({
      RequestItems: { [TABLE]: { ConsistentRead: true, Keys: names.map((name) => ({ pk: { S: `larder#m#default/${name}` }, sk: { S: '#' } })) } },
    }));
    const item = (i) => client.send(new GetItemCommand({ TableName: TABLE, Key: pageKey(i), ConsistentRead: true }));
    const get = async (i) => {
      const [{ Item }] = await Promise.all(marks ? [item(i), marksOf(tags)] : [item(i)]);
      if (Item.v.B.length !== bytes) throw new Error('a get answered something else');
    };
    const put = (i) => {
      const now = Date.now();
      return client.send(new PutItemCommand({
        TableName: TABLE,
        Item: {
          ...pageKey(i), gk: { S: 'sdk#e#00' }, gs: { S: `#${key(i)}` }, m: { N: `${now}` }, e: { N: `${now}` },
          x: { N: `${now + 1e9}` }, expiresAt: { N: `${Math.ceil(now / 1e3) + 1e6}` }, v: { B: value },
        },
        ConditionExpression: 'attribute_not_exists(pk) OR e <= :e',
        ExpressionAttributeValues: { ':e': { N: `${now}` } },
      }));
    };
    const check = async () => {
      const { Responses } = await marksOf(checked);
      if (!Array.isArray(Responses[TABLE])) throw new Error('a check answered something else');
    };
    return { get, put, check };
  };
}

const contenders = {
  'larder': larder({}),
  'larder, mark-age': larder({ 'mark-age': `${MARK_AGE_MS}ms` }),
  'SDK': sdk({ marks: false }),
  'SDK, with marks': sdk({ marks: true }),
};

module.exports = { KEYS, key, checked, larderUrl, larderStore, contenders };
