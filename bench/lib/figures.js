'use strict';
// Figures in documents: what stands between two markers, written from results.

const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '../..');

const result = (name) => JSON.parse(fs.readFileSync(path.join(root, 'bench/results', name), 'utf8'));

/** Puts lines between <!-- marker --> and <!-- /marker --> of a document. */
function put(document, marker, lines) {
  const file = path.join(root, document);
  const text = fs.readFileSync(file, 'utf8');
  const between = new RegExp(`(<!-- ${marker} -->)[\\s\\S]*?(<!-- /${marker} -->)`);
  if (!between.test(text)) throw new Error(`${file} has no markers ${marker}`);
  fs.writeFileSync(file, text.replace(between, (_, begin, end) => `${begin}\n\n${lines.join('\n').trimEnd()}\n\n${end}`));
}

module.exports = { result, put };
