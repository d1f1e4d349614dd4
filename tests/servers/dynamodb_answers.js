'use strict';
/*
 * What the driver makes of answers that DynamoDB does not give in tests: damaged ones, and failures that go on.
 *
 *   node dynamodb_answers.js LARDER
 */
const assert = require('node:assert/strict');
const http = require('node:http');
const { execFile } = require('node:child_process');

const larder = process.argv[2];
const JSON_TYPE = 'application/x-amz-json-1.0';
const crcOf = { '{}': 2745614147 }; // zlib's crc32()

/** Runs `larder ping` on a server that answers so, one after the other, the last for ever: {asked, failed, said}. */
async function ping(answers, env = {}) {
  let asked = 0;
  const server = http.createServer((request, response) => {
    const { status = 200, headers = {}, body = '{}' } = answers[Math.min(asked++, answers.length - 1)];
    request.resume().on('end', () => response.writeHead(status, { 'content-type': JSON_TYPE, ...headers }).end(body));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `dynamodb://table?endpoint=http://127.0.0.1:${server.address().port}&region=eu-west-1&access-key=a&secret-key=b`;
  const given = { ...process.env, LARDER_RETRY_BASE: '1ms', ...env };
  const { error, text } = await new Promise((resolve) => {
    execFile(larder, ['--cache', url, 'ping', '--timeout', '10s'], { env: given }, (failure, stdout, stderr) =>
      resolve({ error: failure, text: stdout + stderr }));
  });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  return { asked, failed: error !== null, said: text };
}

const wrong = { headers: { 'x-amz-crc32': `${crcOf['{}'] ^ 1}` } };
const right = { headers: { 'x-amz-crc32': `${crcOf['{}']}` } };

const tests = {
  async 'an answer is taken that has no checksum, or the right one'() {
    assert.deepEqual({ ...(await ping([{}])), said: '' }, { asked: 1, failed: false, said: '' });
    assert.deepEqual({ ...(await ping([right])), said: '' }, { asked: 1, failed: false, said: '' });
  },

  async 'an answer that was damaged is asked for again'() {
    for (const headers of [wrong.headers, { 'x-amz-crc32': 'x' }, { 'x-amz-crc32': '99999999999999999999' }])
      assert.deepEqual({ ...(await ping([{ headers }, right])), said: '' }, { asked: 2, failed: false, said: '' });
  },

  async 'so is a refusal that was damaged'() {
    const body = JSON.stringify({ __type: 'ValidationException', message: 'no' });
    const { asked, failed } = await ping([{ status: 400, body, headers: wrong.headers }, right]);
    assert.deepEqual({ asked, failed }, { asked: 2, failed: false });
  },

  async 'where all are damaged, that is what is said'() {
    const { failed, said } = await ping([wrong]);
    assert.ok(failed);
    assert.match(said, /the answer was damaged on its way \(x-amz-crc32\)/);
  },

  async 'attempts are as many as the setting says, or the variable of OpenNext'() {
    const broken = [{ status: 500, body: '' }];
    assert.equal((await ping(broken)).asked, 3);
    for (const attempts of [1, 3, 5]) {
      const { asked, failed } = await ping(broken, { AWS_SDK_DYNAMODB_MAX_ATTEMPTS: `${attempts}` });
      assert.deepEqual({ asked, failed }, { asked: attempts, failed: true });
    }
  },
};

async function main() {
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

main().then((status) => process.exit(status));
