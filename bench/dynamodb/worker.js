'use strict';
// One contender, one size, one way of asking, in a process of its own:
//   worker.js '{"contender": ..., "op": "get", "bytes": ..., "inflight": ..., "url": ..., "ms": ...}'
// Prints the measurement as JSON.  With "record": each call once, to be repeated by the stub.

const { KEYS, checked, contenders, larderStore } = require('./contenders.js');
const { serve, timed } = require('../lib/worker.js');

serve(async ({ contender, op, bytes, inflight, url, ms, record }) => {
  if (record && contender === 'larder') await larderStore(url).store.revalidate(checked);
  const calls = await contenders[contender](url, { bytes });
  if (record) {
    for (let i = 0; i < KEYS; i++) {
      if (!contender.includes('mark')) await calls.put(i); // their entries are there already
      await calls.get(i);
    }
    await calls.check(0);
    return null;
  }
  return timed(calls[op], { bytes, inflight, ms });
});
