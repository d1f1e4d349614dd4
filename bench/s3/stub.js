'use strict';
// The stub repeats what the gateway has answered: its files are the objects, at their places.

const fs = require('node:fs');
const path = require('node:path');
const stub = require('../lib/stub.js');
const { BUCKET, prefixOf, sdkClient } = require('./contenders.js');

/**
 * The answers to what is under one prefix.  nginx adds lengths, times and ETags of its own.  A put is answered with 204, as
 * nginx would look at If-Match before it says 200.
 */
const place = (prefix, metadata) => `
    location /${BUCKET}/${prefix}/ {
      if ($request_method = PUT) {
        add_header ETag '"stub"';
        return 204;
      }
${Object.entries(metadata).map(([name, value]) => `      add_header x-amz-meta-${name} '${value}';`).join('\n')}
      add_header x-amz-request-id stub;
    }`;

/** Copies all objects with that prefix into a folder; the metadata of one of them, which speaks for all. */
async function copy({ sdk, client }, prefix, folder) {
  const { Contents = [] } = await client.send(new sdk.ListObjectsV2Command({ Bucket: BUCKET, Prefix: `${prefix}/` }));
  if (Contents.length === 0) throw new Error(`there is nothing in ${BUCKET}/${prefix}`);
  let metadata;
  for (const { Key } of Contents) {
    const answer = await client.send(new sdk.GetObjectCommand({ Bucket: BUCKET, Key }));
    const file = path.join(folder, BUCKET, Key);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, await answer.Body.transformToByteArray());
    metadata = answer.Metadata;
  }
  return metadata;
}

/**
 * @param {string} url  of the gateway, where all is
 * @param {string} dir  a folder of its own
 * @param {{ names: string[], sizes: number[] }} what
 */
async function start(url, dir, { names, sizes }) {
  const from = sdkClient(url);
  const rules = [];
  for (const prefix of names.flatMap((name) => sizes.map((bytes) => prefixOf(name, bytes))))
    rules.push(place(prefix, await copy(from, prefix, path.join(dir, 'replies'))));
  return stub.start(dir, { type: 'application/octet-stream', rules: rules.join('') });
}

module.exports = { start };
