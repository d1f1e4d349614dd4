'use strict';
// TLS of a driver inside node, whose own OpenSSL it then uses (test/symbols): entries go over https to the
// server of server.js and come back, while node itself does the same beside it.
//   LARDER_NODE_ADDON=larder.node node in_node.js PROBE.so FOLDER

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const https = require('node:https');
const path = require('node:path');
const { spawn } = require('node:child_process');
const native = require('../../../bindings/node/lib/native.js');

const [probe, folder] = process.argv.slice(2);

/** What node itself gets from there. */
function ask(port, ca) {
  return new Promise((resolve, reject) => {
    https.get({ host: 'localhost', port, path: '/bytes/70000', ca, agent: false }, (answer) => {
      let n = 0;
      answer.on('data', (part) => { n += part.length; }).on('end', () => resolve(n));
    }).on('error', reject);
  });
}

async function main(port) {
  const ca = path.join(folder, 'ca.pem');
  const settings = { endpoint: `https://localhost:${port}`, region: 'eu-west-1', 'ca-file': ca,
    'access-key': 'AKIDEXAMPLE', 'secret-key': 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
  const cache = `${probe}?${new URLSearchParams(settings).toString().replaceAll('+', '%20')}`;
  const store = native.open(Object.entries({ cache, tags: 'memory:', namespace: `n${process.pid}`, memory: '0',
    'get-deadline': '30s', 'write-deadline': '30s' }).map(([name, value]) => [name, value, 'the test']));
  const { known } = await store.epoch();
  for (let i = 0; i < 20; i++) {
    const text = crypto.randomBytes(100000).toString('hex');
    const put = await store.put({ key: `key ${i}`, build: 'build', kind: native.KIND.PAGE, epoch: known,
      modified: Date.now(), revalidate: NaN, expire: NaN, tags: [], meta: '{}', parts: [text] });
    assert.equal(put.status, 0, put.detail);
    const [got, length] = await Promise.all([store.get(native.KIND.PAGE, 'build', `key ${i}`, null, 0),
      ask(port, fs.readFileSync(ca))]);
    assert.equal(got.verdict, native.FRESH, got.detail);
    assert.ok(got.parts[0] === text);
    assert.equal(length, 70000);
  }
  await store.close?.();
  console.log(`node ${process.versions.node}, OpenSSL ${process.versions.openssl}: 20 entries over TLS`);
}

const server = spawn(process.execPath, [path.join(__dirname, 'server.js'), folder], { stdio: ['pipe', 'pipe', 'inherit'] });
let said = '';
server.stdout.on('data', (text) => {
  said += text;
  if (!said.endsWith('ready\n')) return;
  main(/https .*:(\d+)/.exec(said)[1]).catch((error) => {
    console.error(error);
    process.exitCode = 1;
  }).finally(() => server.stdin.end());
});
