'use strict';
// One contender, one size, one way of asking, in a process of its own:
//   worker.js '{"contender": ..., "op": "get", "bytes": ..., "inflight": ..., "url": ..., "ms": ..., "warmupMs": ...}'
// Prints the measurement as JSON.  With "fill": the entries are stored.

const { contenders, keysOf, values } = require('./contenders.js');
const { serve, timed } = require('../lib/worker.js');

/** Every entry, byte by byte. */
async function verify(calls, bytes) {
  const expected = values(bytes);
  for (let i = 0; i < keysOf(bytes); i++) {
    if (Buffer.compare(await calls.get(i), expected(i)) !== 0) throw new Error(`entry ${i} is not what was stored`);
  }
}

serve(async ({ contender, op, bytes, inflight, url, ms, warmupMs, fill }) => {
  const calls = contenders[contender](url, bytes);
  if (fill) {
    for (let i = 0; i < keysOf(bytes); i++) await calls.put(i);
    await verify(calls, bytes);
    return null;
  }
  await verify(calls, bytes);
  await calls.ready();
  const get = async (i) => {
    if ((await calls.get(i)).length !== bytes) throw new Error('a get answered something else');
  };
  const measured = await timed(op === 'get' ? get : calls.put, { bytes, inflight, ms, warmupMs });
  if (op === 'put') await verify(calls, bytes);
  return measured;
});
