'use strict';
// A process that starts, and says so at its first answer: cold.js bare, or a contender and the stub's URL.
// On fd 3: "x".

const fs = require('node:fs');

function answered() {
  fs.writeSync(3, 'x');
  process.exit(0);
}

async function main([contender, url]) {
  if (contender === 'bare') return;
  if (contender === 'larder') {
    const { key, larderStore } = require('./contenders.js');
    const { store, KIND } = larderStore(url);
    const { verdict, detail } = await store.get(KIND.PAGE, 'bench', key(0), null, 0);
    if (verdict !== 1) throw new Error(`get: ${verdict} ${detail ?? ''}`);
    return;
  }
  const { get } = await require('./contenders.js').contenders[contender](url, { bytes: 1024 });
  await get(0);
}

main(process.argv.slice(2)).then(answered, (error) => {
  console.error(error);
  process.exit(1);
});
