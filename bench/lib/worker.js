'use strict';
// The other side of rounds.js: one contender in a process of its own, told by JSON in its argument what to do.

const { measure } = require('./measure.js');

/** Enough of them that V8 has compiled what is measured. */
const warmupOps = (bytes) => (bytes > 65536 ? 300 : 3000);

/** Prints what main makes of the specification, as JSON, and ends the process. */
function serve(main) {
  main(JSON.parse(process.argv[2])).then((result) => {
    console.log(JSON.stringify(result ?? null));
    process.exit(0);
  }, (error) => {
    console.error(error);
    process.exit(1);
  });
}

/** warmupMs: at most; for what is so slow that it would take most of the time.  @param {(i: number) => Promise<unknown>} op */
const timed = (op, { bytes, inflight, ms, warmupMs }) => measure(op, { inflight, ms, warmupOps: warmupOps(bytes), warmupMs });

module.exports = { serve, timed };
