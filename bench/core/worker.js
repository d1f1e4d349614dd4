'use strict';
// One contender, one size, one way of asking, in a process of its own:
//   worker.js '{"contender": ..., "op": "get", "bytes": ..., "inflight": ..., "dir": ..., "ms": ...}'
// Prints the measurement as JSON.

const contenders = require('./contenders.js');
const { measure } = require('./measure.js');

async function main() {
  const { contender, op, bytes, inflight, dir, ms } = JSON.parse(process.argv[2]);
  const keys = bytes > 65536 ? 64 : 256;
  const store = await contenders[contender](dir, { bytes, keys });
  const result = await measure(store[op], { inflight, ms, warmupOps: bytes > 65536 ? 300 : 3000 });
  store.close();
  console.log(JSON.stringify(result));
}

main().then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
