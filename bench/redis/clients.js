'use strict';
// Who reads and writes values from JavaScript.  Each: open(server, {bytes, keys}) stores the values and resolves to
// {get(i), text(i), put(i)}: a value as a Buffer, a value as a string, a value to be stored.

const path = require('node:path');
const { larderStore } = require('../lib/larder.js');
const { markup } = require('../lib/pages.js');

const modules = process.env.BENCH_CLIENTS; // a node_modules with ioredis and node-redis in it
const MARK_AGE_MS = 1000;
const tags = ['_N_T_/layout', '_N_T_/blog/layout', '_N_T_/blog/page', 'posts'];

const load = (name) => require(path.join(modules, name));

/** Half of them are read as Buffers, the others as strings. */
function values({ bytes, keys }) {
  const texts = Array.from({ length: Math.min(keys, 16) }, (_, i) => markup(bytes, i + 1));
  const buffers = texts.map((text) => Buffer.from(text));
  return {
    text: (i) => texts[i % texts.length], buffer: (i) => buffers[i % buffers.length],
    check(i, got) {
      const good = typeof got === 'string' ? got === texts[i % texts.length] : Buffer.isBuffer(got) && got.equals(buffers[i % buffers.length]);
      if (!good) throw new Error(`value ${i} is another`);
    },
  };
}

/** Everything once, checked byte by byte, before it is timed. */
async function verified(calls, all, keys) {
  for (let i = 0; i < keys; i++) {
    await calls.put(i);
    await calls.putText(i);
  }
  for (let i = 0; i < keys; i++) {
    const [buffer, text] = [await calls.get(i), await calls.text(i)];
    if (!Buffer.isBuffer(buffer) || typeof text !== 'string') throw new Error('a value has another type');
    all.check(i, buffer);
    all.check(i, text);
  }
  return calls;
}

function larder(settings) {
  return async (server, { bytes, keys }) => {
    const { store, KIND } = larderStore(server.unix, settings);
    const { status, known, detail } = await store.epoch();
    if (status !== 0) throw new Error(`epoch: ${detail}`);
    const all = values({ bytes, keys });
    const read = async (key) => {
      const answer = await store.get(KIND.PAGE, 'bench', key, null, 0);
      if (answer.verdict !== 1) throw new Error(`get: ${answer.verdict} ${answer.detail ?? ''}`);
      return answer.parts[0];
    };
    const write = async (key, part) => {
      const { status: stored, detail: why } = await store.put({
        key, build: 'bench', kind: KIND.PAGE, epoch: known, modified: Date.now(), revalidate: NaN, expire: NaN, tags, meta: '{}', parts: [part],
      });
      if (stored !== 0) throw new Error(`put: ${why}`);
    };
    if (settings['mark-age']) {
      // What a process has not known for a mark-age it reads first.
      await store.check(tags, known);
      await new Promise((resolve) => setTimeout(resolve, MARK_AGE_MS + 50));
    }
    return verified({
      get: (i) => read(`/buffer/${i % keys}`), text: (i) => read(`/text/${i % keys}`),
      put: (i) => write(`/buffer/${i % keys}`, all.buffer(i % keys)), putText: (i) => write(`/text/${i % keys}`, all.text(i % keys)),
    }, all, keys);
  };
}

/** As its README says; pipelined: what is asked in one turn of the event loop goes out together. */
function ioredis(options) {
  return async (server, { bytes, keys }) => {
    const { default: Redis } = load('ioredis');
    const client = new Redis({ path: server.socket, ...options });
    const all = values({ bytes, keys });
    return verified({
      get: (i) => client.getBuffer(`ioredis:buffer:${i % keys}`), text: (i) => client.get(`ioredis:text:${i % keys}`),
      put: (i) => client.set(`ioredis:buffer:${i % keys}`, all.buffer(i % keys)),
      putText: (i) => client.set(`ioredis:text:${i % keys}`, all.text(i % keys)),
    }, all, keys);
  };
}

async function nodeRedis(server, { bytes, keys }) {
  const { createClient, RESP_TYPES } = load('redis');
  const client = await createClient({ socket: { path: server.socket } }).connect();
  const binary = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  const all = values({ bytes, keys });
  return verified({
    get: (i) => binary.get(`node-redis:buffer:${i % keys}`), text: (i) => client.get(`node-redis:text:${i % keys}`),
    put: (i) => client.set(`node-redis:buffer:${i % keys}`, all.buffer(i % keys)),
    putText: (i) => client.set(`node-redis:text:${i % keys}`, all.text(i % keys)),
  }, all, keys);
}

const clients = {
  'larder': larder({}),
  'larder, mark-age': larder({ 'mark-age': `${MARK_AGE_MS}ms` }),
  'ioredis': ioredis({}),
  'ioredis, auto-pipelined': ioredis({ enableAutoPipelining: true }),
  'node-redis': nodeRedis,
};

module.exports = { MARK_AGE_MS, values, verified, larder, clients };
