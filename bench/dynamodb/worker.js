'use strict';
// One contender, one size, one way of asking, in a process of its own:
//   worker.js '{"contender": ..., "op": "get", "bytes": ..., "inflight": ..., "url": ..., "ms": ...}'
// Prints the measurement as JSON.  With "record": each call once, to be repeated by the stub.

const { KEYS, checked, contenders, larderStore } = require('./contenders.js');
const { measure } = require('../core/measure.js');

async function main() {
  const { contender, op, bytes, inflight, url, ms, record } = JSON.parse(process.argv[2]);
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
  return measure(calls[op], { inflight, ms, warmupOps: bytes > 65536 ? 300 : 3000 });
}

main().then((result) => {
  console.log(JSON.stringify(result));
  process.exit(0);
}, (error) => {
  console.error(error);
  process.exit(1);
});
