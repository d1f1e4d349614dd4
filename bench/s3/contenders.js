'use strict';
// Who is measured.  Each: open(url, bytes) gives {get(i), put(i), ready()} for entries 0 to keysOf(bytes) - 1; a get
// resolves to the value; after the first gets, ready() is when all others are alike.

const path = require('node:path');
const { larderStore } = require('../lib/larder.js');

const KB = 1024;
const MB = 1024 * KB;
const BUCKET = 'bench';
const REGION = 'eu-west-1';
/** Those that tests/servers/s3.js knows. */
const CREDENTIALS = { accessKeyId: 'TESTKEY', secretAccessKey: 'testsecret/+key0123' };

/** What a process has not known for so long it reads with each get. */
const MARK_AGE_MS = 200;
const tags = ['_N_T_/layout', '_N_T_/blog/layout', '_N_T_/blog/page', 'posts'];

/** More than are in flight, so that no two puts at once are of one key; few of the large ones, which lie in memory. */
const keysOf = (bytes) => (bytes >= MB ? 40 : 64);

/** What entry i is: each another, and all of them parts of one block. */
function values(bytes) {
  const block = Buffer.allocUnsafe(bytes + 4 * keysOf(bytes));
  for (let i = 0, x = 1; i < block.length; i++) block[i] = (x = Math.imul(x, 1664525) + 1013904223) >>> 24;
  return (i) => block.subarray(4 * i, 4 * i + bytes);
}

/** Where a contender's entries of one size are, in the bucket. */
const prefixOf = (contender, bytes) => `${contender.toLowerCase()}/${bytes}`;

const larderUrl = (endpoint, prefix) =>
  `s3://${BUCKET}/${prefix}?endpoint=${endpoint}&region=${REGION}&access-key=${CREDENTIALS.accessKeyId}` +
  `&secret-key=${encodeURIComponent(CREDENTIALS.secretAccessKey)}`;

/** Marks are in a folder beside the bucket, and trusted for a moment: a get is one request to S3, and nothing else. */
function larder(url, bytes) {
  const { store, KIND } = larderStore(larderUrl(url, prefixOf('larder', bytes)), { tags: process.env.BENCH_MARKS, 'mark-age': `${MARK_AGE_MS}ms` });
  const keys = keysOf(bytes);
  const key = (i) => `/blog/${i % keys}`;
  let value;
  let epoch;
  const get = async (i) => {
    const answer = await store.get(KIND.PAGE, 'bench', key(i), null, 0);
    if (answer.verdict !== 1) throw new Error(`get: ${answer.verdict} ${answer.detail ?? ''}`);
    return answer.parts[0];
  };
  const put = async (i) => {
    value ??= values(bytes);
    epoch ??= (await store.epoch()).known;
    const { status, detail } = await store.put({
      key: key(i), build: 'bench', kind: KIND.PAGE, epoch, modified: Date.now(), revalidate: NaN, expire: NaN,
      tags, meta: '{}', parts: [value(i % keys)],
    });
    if (status !== 0) throw new Error(`put: ${detail}`);
  };
  const ready = () => new Promise((resolve) => setTimeout(resolve, MARK_AGE_MS + 50));
  return { get, put, ready };
}

/** One attempt, as nothing fails. */
function sdkClient(url) {
  const sdk = require(path.join(process.env.BENCH_SDK, '@aws-sdk/client-s3'));
  return { sdk, client: new sdk.S3Client({ endpoint: url, region: REGION, credentials: CREDENTIALS, forcePathStyle: true, maxAttempts: 1 }) };
}

/** The same by the SDK, with its own keep-alive connections and its defaults. */
function sdk(url, bytes) {
  const { sdk: { GetObjectCommand, PutObjectCommand }, client } = sdkClient(url);
  const keys = keysOf(bytes);
  const object = (i) => ({ Bucket: BUCKET, Key: `${prefixOf('SDK', bytes)}/blog/${i % keys}` });
  let value;
  const get = async (i) => (await client.send(new GetObjectCommand(object(i)))).Body.transformToByteArray();
  const put = (i) => {
    value ??= values(bytes);
    return client.send(new PutObjectCommand({ ...object(i), Body: value(i % keys), ContentType: 'application/octet-stream' }));
  };
  return { get, put, ready: () => {} };
}

const contenders = { larder, SDK: sdk };

module.exports = { KB, MB, BUCKET, keysOf, values, prefixOf, larderUrl, sdkClient, contenders };
