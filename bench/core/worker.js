'use strict';
// One contender, one size, one way of asking, in a process of its own:
//   worker.js '{"contender": ..., "op": "get", "bytes": ..., "inflight": ..., "dir": ..., "ms": ...}'
// Prints the measurement as JSON.

const contenders = require('./contenders.js');
const { serve, timed } = require('../lib/worker.js');

serve(async ({ contender, op, bytes, inflight, dir, ms }) => {
  const keys = bytes > 65536 ? 64 : 256;
  const store = await contenders[contender](dir, { bytes, keys });
  const result = await timed(store[op], { bytes, inflight, ms });
  store.close();
  return result;
});
