'use strict';
// One contender, one size, one way of asking, in a process of its own:
//   worker.js '{"client": ..., "op": "get", "bytes": ..., "inflight": ..., "server": ..., "ms": ...}'
//   worker.js '{"handler": ..., "op": "get", "kind": "APP_PAGE", "inflight": ..., "server": ..., "dir": ..., "ms": ...}'
// Prints the measurement as JSON.

const { clients } = require('./clients.js');
const { kinds } = require('./entries.js');
const { handlers } = require('./handlers.js');
const { serve, timed } = require('../lib/worker.js');

const LARGE = 65536;
const SEEDS = 16;
const WARM_UP_MS = 700;

const keysOf = (bytes) => (bytes > LARGE ? 64 : 256);

async function ofHandler({ handler, kind: name, server, dir }) {
  const kind = kinds[name];
  const keys = keysOf(kind.bytes);
  const make = await handlers[handler](server, dir);
  const values = Array.from({ length: SEEDS }, (_, i) => kind.make(i + 1));
  const get = (i) => make().get(kind.key(i % keys), kind.getContext());
  const set = (i) => make().set(kind.key(i % keys), values[(i % keys) % SEEDS], kind.setContext());
  // Next.js asks before it renders, and stores what it rendered.
  for (let i = 0; i < keys; i++) {
    await get(i);
    await set(i);
  }
  for (let i = 0; i < keys; i++) {
    const answer = await get(i);
    if (!answer?.value) throw new Error(`${handler} has lost ${name} ${i}`);
    if (!kind.same(answer.value, kind.make((i % SEEDS) + 1))) throw new Error(`${handler} answers another ${name}`);
  }
  return { get, set, bytes: kind.bytes };
}

serve(async (spec) => {
  const { client, op, inflight, ms } = spec;
  if (!client) {
    const { bytes, ...calls } = await ofHandler(spec);
    return timed(calls[op], { bytes, inflight, ms, warmupMs: WARM_UP_MS });
  }
  const { bytes, server } = spec;
  const calls = await clients[client](server, { bytes, keys: keysOf(bytes) });
  return timed(calls[op], { bytes, inflight, ms });
});
