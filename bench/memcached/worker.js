'use strict';
// One contender, one size, one way of asking, in a process of its own:
//   worker.js '{"client": ..., "op": "get", "bytes": ..., "inflight": ..., "server": ..., "ms": ...}'
// Prints the measurement as JSON.

const { clients } = require('./clients.js');
const { serve, timed } = require('../lib/worker.js');

const KEYS = 64;

serve(async ({ client, op, bytes, inflight, server, ms }) => {
  const calls = await clients[client](server, { bytes, keys: KEYS });
  return timed(calls[op], { bytes, inflight, ms });
});
