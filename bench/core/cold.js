'use strict';
// A process that starts, and says so at its first answer: cold.js bare | larder DIR KEY.
// On fd 3, as soon as the answer is there: "x", then {"resident", "own"} in bytes; own: not shared with
// other processes that map the same files.

const fs = require('node:fs');

function answered() {
  fs.writeSync(3, 'x');
  const status = fs.readFileSync('/proc/self/status', 'utf8');
  const bytes = (name) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)[1]) * 1024;
  fs.writeSync(3, JSON.stringify({ resident: bytes('VmRSS'), own: bytes('RssAnon') }));
  process.exit(0);
}

if (process.argv[2] === 'bare') {
  answered();
} else {
  const path = require('node:path');
  const dir = process.argv[3];
  process.env.LARDER_CACHE = `fs:${path.join(dir, 'larder')}`;
  const Handler = require(path.join(__dirname, '../../bindings/node/lib/next.js'));
  const handler = new Handler({
    dev: false, flushToDisk: true, serverDistDir: path.join(dir, '.next/server'), revalidatedTags: [],
    fetchCacheKeyPrefix: '', _requestHeaders: {}, fs: {}, maxMemoryCacheSize: 0,
  });
  handler.get(process.argv[4], { kind: 'APP_PAGE', isFallback: false, isRoutePPREnabled: false }).then((answer) => {
    if (!answer?.value?.html) throw new Error('the first get was no hit');
    answered();
  });
}
