'use strict';
/*
 * Larder and OpenNext in one bucket: what an OpenNext process and its deployment write, as they write it, and what
 * Larder makes of it; and the reverse.
 *
 *   node opennext-s3.js LARDER CACHE TAGS
 *       LARDER is the command, CACHE a store with layout=opennext, build-id=BID, key-prefix=_cache and upload-lag=1h,
 *       whose bucket is there; TAGS a table of dynalite that is there
 *
 * The form of the objects is that of @opennextjs/aws 4.1 (`s3`, and .open-next/cache as the build lays it down).
 */
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { execFile } = require('node:child_process');

const [larder, cache, tags] = process.argv.slice(2);
const endpoint = new URL(cache).searchParams.get('endpoint');
const bucket = new URL(cache).host;
const keys = { id: 'TESTKEY', secret: 'testsecret/+key0123' };

// ---- S3, without Larder --------------------------------------------------------------------------------

const hmac = (key, text) => crypto.createHmac('sha256', key).update(text).digest();
const encode = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/** One signed request: {status, body, headers}. */
async function ask(method, name, body) {
  const path = `/${bucket}/${name.split('/').map(encode).join('/')}`;
  const stamp = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const day = stamp.slice(0, 8);
  const signed = { host: new URL(endpoint).host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', 'x-amz-date': stamp };
  const names = Object.keys(signed).join(';');
  const canonical = [method, path, '', ...Object.entries(signed).map((pair) => pair.join(':')), '', names, 'UNSIGNED-PAYLOAD'];
  const scope = `${day}/eu-west-1/s3/aws4_request`;
  const hash = crypto.createHash('sha256').update(canonical.join('\n')).digest('hex');
  const key = ['eu-west-1', 's3', 'aws4_request'].reduce(hmac, hmac(`AWS4${keys.secret}`, day));
  const signature = hmac(key, ['AWS4-HMAC-SHA256', stamp, scope, hash].join('\n')).toString('hex');
  const { host, ...headers } = signed;
  const response = await fetch(endpoint + path, { method, body, headers: { ...headers,
    authorization: `AWS4-HMAC-SHA256 Credential=${keys.id}/${scope}, SignedHeaders=${names}, Signature=${signature}` } });
  return { status: response.status, body: await response.text(), headers: response.headers };
}

async function write(name, value) {
  const { status, body } = await ask('PUT', name, JSON.stringify(value));
  assert.equal(status, 200, body);
}

async function read(name) {
  const { status, body } = await ask('GET', name);
  return status === 404 ? null : JSON.parse(body);
}

/** So that what is there already counts: else the mark of the namespace is made now. */
async function beginNamespace() {
  const Item = { pk: { S: 'larder#m#default/' }, sk: { S: '#' }, gk: { S: 'larder#m#00' }, gs: { S: '#default/' }, xe: { N: '1' } };
  const response = await fetch(new URL(tags).searchParams.get('endpoint'), {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': 'DynamoDB_20120810.PutItem',
      'x-amz-date': '20260101T000000Z',
      authorization: 'AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/eu-west-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
    },
    body: JSON.stringify({ TableName: new URL(tags).host, Item }),
  });
  assert.equal(response.status, 200, await response.text());
}

// ---- Larder ---------------------------------------------------------------------------------------------

function run(...words) {
  return new Promise((resolve, reject) => {
    execFile(larder, ['--cache', cache, '--tags', tags, ...words], (error, stdout, stderr) => {
      if (error && error.code !== 1) reject(new Error(`larder ${words.join(' ')}: ${stderr}`));
      else resolve(stdout);
    });
  });
}

const get = (kind, key, ...words) => run('get', '--kind', kind, '--build', 'any', ...words, '--', key);
const verdict = async (kind, key) => JSON.parse(await get(kind, key, '--json')).verdict;

// ---- what must hold ----------------------------------------------------------------------------------------

const page = {
  type: 'app',
  html: '<p>caf\u00e9 \ud83d\ude00</p>',
  rsc: '0:"flight"',
  meta: { status: 200, headers: { 'x-next-cache-tags': 'posts,_N_T_/blog', 'content-type': 'text/html' } },
  revalidate: 60,
  segmentData: { '/_tree': '0:tree' },
};

const tests = {
  async 'a page of OpenNext is read'() {
    await write('_cache/BID/blog.cache', page);
    assert.equal(await verdict('page', '/blog'), 'fresh');
    assert.equal(await get('page', '/blog', '--part', 'html'), page.html);
    assert.equal(await get('page', '/blog', '--part', 'rscData'), page.rsc);
    const meta = JSON.parse(await get('page', '/blog', '--meta'));
    assert.equal(meta.kind, 'APP_PAGE');
    assert.deepEqual(meta.headers, page.meta.headers);
  },

  async 'and so is what its build lays down'() {
    await write('_cache/BID/route-cache/APP_ROUTE/0a1b/$/api/logo.cache',
      { type: 'route', meta: { headers: { 'content-type': 'image/png' }, status: 200 }, body: 'AP8BAg==' });
    await write('_cache/__fetch/BID/0d2d54c1', { kind: 'FETCH', data: { headers: {}, body: 'Ym9keQ==', url: 'http://x/' },
      revalidate: 31536000, tags: ['data'] });
    await write('_cache/BID/["BID","fn",[1]].composable',
      { value: '0:value', tags: ['posts'], stale: 30, timestamp: 1700000000000, expire: 4294967294, revalidate: 900 });
    await write('_cache/BID/about.cache', { type: 'page', html: '<p>about</p>', json: { pageProps: { n: 1 } } });
    assert.equal(await verdict('page', '/route-cache/APP_ROUTE/0a1b/$/api/logo'), 'fresh');
    assert.equal(await get('fetch', '0d2d54c1', '--part', 'data.body'), 'Ym9keQ==');
    assert.equal(await get('use-cache', '["BID","fn",[1]]', '--part', 'value'), '0:value');
    assert.equal(await get('page', '/about', '--part', 'pageData'), '{"pageProps":{"n":1}}');
  },

  async 'all of it is listed'() {
    const listed = (await run('ls', '--json')).trim().split('\n').map((line) => JSON.parse(line).key).sort();
    assert.deepEqual(listed, ['/about', '/blog', '/route-cache/APP_ROUTE/0a1b/$/api/logo', '0d2d54c1', '["BID","fn",[1]]']);
  },

  async 'a revalidation makes it gone'() {
    await run('revalidate', 'posts');
    assert.equal(await verdict('page', '/blog'), 'gone');
    assert.equal(await verdict('use-cache', '["BID","fn",[1]]'), 'gone');
    assert.equal(await verdict('page', '/about'), 'fresh');
  },

  async 'what Larder writes has the form of OpenNext, and its epoch beside it'() {
    const meta = '{"kind":"APP_PAGE","html":"<p>new</p>","rscData":"0:new","headers":{"x-next-cache-tags":"posts"},"status":200}';
    await run('put', '--build', 'any', '--tag', 'posts', '--revalidate', '90s', '--meta', meta, '--', '/blog');
    const { larder: own, ...value } = await read('_cache/BID/blog.cache');
    assert.deepEqual(value, { type: 'app', html: '<p>new</p>', rsc: '0:new',
      meta: { status: 200, headers: { 'x-next-cache-tags': 'posts' } }, revalidate: 90 });
    assert.equal(own.kind, 'APP_PAGE');
    assert.equal(await verdict('page', '/blog'), 'fresh');
    const { headers } = await ask('GET', '_cache/BID/blog.cache');
    assert.match(headers.get('x-amz-meta-epoch'), /^\d+$/);
  },

  async 'if absent is for entries of OpenNext, too'() {
    const words = ['put', '--build', 'any', '--if-absent', '--meta', '{"kind":"REDIRECT","props":{}}', '--'];
    await run(...words, '/about');
    assert.equal((await read('_cache/BID/about.cache')).type, 'page');
    await run(...words, '/else');
    assert.equal((await read('_cache/BID/else.cache')).type, 'redirect');
  },

  async 'a key that would leave its build stays in the layout of Larder'() {
    await write('_cache/x.cache', page);
    await run('put', '--build', 'any', '--meta', '{"kind":"REDIRECT","props":{}}', '--', '/../x');
    assert.deepEqual(await read('_cache/x.cache'), page);
    assert.equal(await verdict('page', '/../x'), 'fresh');
  },

  async 'what is removed is gone for both'() {
    await run('rm', '--kind', 'page', '--build', 'any', '--', '/about');
    assert.equal(await read('_cache/BID/about.cache'), null);
  },
};

(async () => {
  let passed = 0;
  await beginNamespace();
  for (const [name, test] of Object.entries(tests)) {
    await test();
    console.log(`ok ${name}`);
    passed++;
  }
  console.log(`${passed} passed, 0 failed`);
})().catch((error) => {
  console.error(error);
  console.log('0 passed, 1 failed');
  process.exit(1);
});
