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
  const { contenders, KB } = require('./contenders.js');
  await contenders[contender](url, 4 * KB).get(0);
}

main(process.argv.slice(2)).then(answered, (error) => {
  console.error(error);
  process.exit(1);
});
