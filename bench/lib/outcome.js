'use strict';
// How a run that checks something ends: what held and what did not, the result, the exit status.

const fs = require('node:fs');

/**
 * The checks to stderr; to stdout the result as JSON, or how many passed; and the result to a file, where one is named.
 * @param {{ checks: { name: string, ok: boolean, detail: string | string[] }[] }} result
 * @param {{ out: string, json: boolean }} opts
 */
function end(result, { out, json }) {
  for (const { name, ok, detail } of result.checks) {
    const lines = typeof detail === 'string' ? [] : detail;
    console.error(`${ok ? 'ok     ' : 'FAILED '} ${name}${lines === detail ? '' : `: ${detail}`}`);
    for (const line of lines) console.error(`          ${line}`);
  }
  const failed = result.checks.filter((c) => !c.ok).length;
  if (out) fs.writeFileSync(out, `${JSON.stringify(result)}\n`);
  if (json) console.log(JSON.stringify(result));
  else console.log(`${result.checks.length - failed} passed, ${failed} failed`);
  process.exitCode = failed ? 1 : 0;
}

module.exports = { end };
