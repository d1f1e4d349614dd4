'use strict';
/*
 * What the tests of Larder and OpenNext on one table share: DynamoDB without Larder, and Larder by its command.
 *
 *   node THE_TEST.js LARDER URL
 *       LARDER is the command, URL a store whose build-id is `b1` and namespace `default`
 */
const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');

const [larder, url] = process.argv.slice(2);
const endpoint = new URL(url).searchParams.get('endpoint');
const table = new URL(url).host;
const BUILD = 'b1';

// ---- DynamoDB, without Larder ------------------------------------------------------------------------

async function ask(operation, body) {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': `DynamoDB_20120810.${operation}`,
      'x-amz-date': '20260101T000000Z',
      authorization: 'AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/eu-west-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
    },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  assert.equal(response.status, 200, `${operation}: ${JSON.stringify(answer)}`);
  return answer;
}

/** As OpenNext's reference stack makes it; and it is there. */
async function createTable() {
  const key = (hash, range) => [{ AttributeName: hash, KeyType: 'HASH' }, { AttributeName: range, KeyType: 'RANGE' }];
  await ask('CreateTable', {
    TableName: table,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [
      { AttributeName: 'tag', AttributeType: 'S' },
      { AttributeName: 'path', AttributeType: 'S' },
      { AttributeName: 'revalidatedAt', AttributeType: 'N' },
    ],
    KeySchema: key('tag', 'path'),
    GlobalSecondaryIndexes: [{ IndexName: 'revalidate', KeySchema: key('path', 'revalidatedAt'), Projection: { ProjectionType: 'ALL' } }],
  });
  for (let i = 0; i < 500; i++) {
    const { Table } = await ask('DescribeTable', { TableName: table });
    if (Table.TableStatus === 'ACTIVE') return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('the table does not become ACTIVE');
}

/** The mark of the namespace, which would else be made by the first to look, and what is older be gone. */
function putNamespaceMark() {
  const Item = { tag: { S: 'larder#m#default/' }, path: { S: '#' }, gk: { S: 'larder#m#00' }, gs: { S: '#default/' }, xe: { N: '1' } };
  return ask('PutItem', { TableName: table, Item });
}

/** An item with its numbers as numbers. */
const plain = (item) => item && Object.fromEntries(Object.entries(item).map(([name, { S, N }]) => [name, S ?? Number(N)]));

// ---- Larder ---------------------------------------------------------------------------------------------

function runAt(store, env, words) {
  return new Promise((resolve, reject) => {
    const child = execFile(larder, ['--cache', store, ...words], { env: { ...process.env, ...env } }, (error, stdout, stderr) => {
      if (error && error.code !== 1) reject(new Error(`larder ${words.join(' ')}: ${stderr}`));
      else resolve(stdout);
    });
    child.stdin.end('x');
  });
}

const run = (...words) => runAt(url, {}, words);

function put(key, tags, epoch) {
  const words = tags.flatMap((tag) => ['--tag', tag]);
  return run('put', '--kind', 'fetch', '--text', 'body=-', ...words, ...(epoch ? ['--epoch', `${epoch}`] : []), '--', key);
}

async function verdict(key) {
  return JSON.parse(await run('get', '--kind', 'fetch', '--any', '--json', '--', key)).verdict;
}

// ---- tests -------------------------------------------------------------------------------------------------

async function runTests(tests) {
  let failed = 0;
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test();
      console.log(`ok - ${name}`);
    } catch (error) {
      failed++;
      console.log(`not ok - ${name}\n${error.stack}`);
    }
  }
  console.log(`${Object.keys(tests).length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

/** Runs them one after the other, and ends the process. */
const main = (tests) => runTests(tests).then((status) => process.exit(status));

module.exports = { BUILD, ask, createTable, main, plain, put, putNamespaceMark, run, runAt, table, url, verdict };
