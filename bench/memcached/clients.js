'use strict';
// Who reads and writes values from JavaScript: as bench/redis/clients.js, which has what they share.

const path = require('node:path');
const { MARK_AGE_MS, larder, values, verified } = require('../redis/clients.js');

/** As its README says; one connection, on which what is asked in one turn goes out together. */
async function memjs({ port }, { bytes, keys }) {
  const { Client } = require(path.join(process.env.BENCH_CLIENTS, 'memjs'));
  const client = Client.create(`127.0.0.1:${port}`, { timeout: 10, retries: 1 });
  const all = values({ bytes, keys });
  const read = async (key) => {
    const { value } = await client.get(key);
    if (value === null) throw new Error(`${key} is not there`);
    return value;
  };
  const write = async (key, value) => {
    if (!(await client.set(key, value, { expires: 86_400 }))) throw new Error(`${key} was not stored`);
  };
  return verified({
    get: (i) => read(`memjs:buffer:${i % keys}`), text: async (i) => (await read(`memjs:text:${i % keys}`)).toString(),
    put: (i) => write(`memjs:buffer:${i % keys}`, all.buffer(i % keys)), putText: (i) => write(`memjs:text:${i % keys}`, all.text(i % keys)),
  }, all, keys);
}

const clients = {
  'larder': larder({}),
  'larder, mark-age': larder({ 'mark-age': `${MARK_AGE_MS}ms` }),
  memjs,
};

module.exports = { clients };
