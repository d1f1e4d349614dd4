'use strict';
// Rules about the text of the sources that no compiler knows.  Prints FILE:LINE: what, exits 1 if any.
//   node source-rules.js c|links FILE...

const fs = require('node:fs');
const path = require('node:path');

const [rules, ...files] = process.argv.slice(2);
let found = 0;

// A line that says "lint: " and a reason in a comment is left alone.
const excused = (text, line) => text.split('\n')[line - 1].includes('/* lint: ');

function complain(file, line, text) {
  console.log(`${file}:${line}: ${text}`);
  found++;
}

/** The same text with comments, strings and characters blanked, line breaks kept. */
function bare(text) {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g, (s) =>
    s.replace(/[^\n]/g, ' '));
}

// Unbounded, locale- or thread-unsafe, or silent about errors.  What to use instead.
const banned = {
  strcpy: 'memcpy with a length', strcat: 'memcpy with a length', stpcpy: 'memcpy with a length',
  strncpy: 'memcpy with a length', strncat: 'memcpy with a length',
  sprintf: 'snprintf', vsprintf: 'vsnprintf', gets: 'read', strtok: 'memchr', scanf: 'strtoll', sscanf: 'strtoll',
  atoi: 'strtoll, checked', atol: 'strtoll, checked', atoll: 'strtoll, checked', atof: 'strtod, checked',
  strerror: 'strerror_r', localtime: 'localtime_r', gmtime: 'gmtime_r', asctime: 'strftime', ctime: 'strftime',
  rand: 'getrandom', srand: 'getrandom', random: 'getrandom', drand48: 'getrandom',
  alloca: 'malloc', tmpnam: 'mkstemp', mktemp: 'mkstemp', system: 'posix_spawn', readdir_r: 'readdir',
};
// Library code answers with a status: it neither prints nor ends the process.
const bannedInLibraries = {
  printf: 'the log', fprintf: 'the log', puts: 'the log', fputs: 'the log', perror: 'the log', vfprintf: 'the log',
  putchar: 'the log', exit: 'a status', _exit: 'a status', abort: 'a status', setlocale: 'nothing', signal: 'sigaction',
};
// Tests have one thread where they print.
const allowedInTests = new Set(['strerror']);
const isTest = (file) => /^tests\/|\/test\//.test(file);
const isLibrary = (file) => /^(core|drivers|bindings)\//.test(file) && !isTest(file);

// Nothing lower knows anything higher.
const mayInclude = [
  [/^core\/include\//, /^larder\//],
  [/^core\//, /^(larder\/|[a-z_0-9]+\.h$)/],
  [/^drivers\//, /^(larder\/(driver|merge)\.h$|[a-z_0-9]+\.h$)/],
  [/^cli\//, /^(larder\/larder\.h$|larder\/driver\.h$|[a-z_0-9]+\.h$)/],
];

const lineOf = (text, at) => text.slice(0, at).split('\n').length;

function checkC(file) {
  const text = fs.readFileSync(file, 'utf8');
  const code = bare(text);
  const names = isLibrary(file) ? { ...banned, ...bannedInLibraries } : banned;
  for (const m of code.matchAll(/\b([a-z_][a-z0-9_]*)\s*\(/g)) {
    const before = code.slice(Math.max(0, m.index - 2), m.index);
    if (isTest(file) && allowedInTests.has(m[1])) continue;
    if (Object.hasOwn(names, m[1]) && !/[.>]$/.test(before) && !excused(text, lineOf(code, m.index)))
      complain(file, lineOf(code, m.index), `${m[1]}() is not used here; use ${names[m[1]]}`);
  }
  for (const m of text.matchAll(/^#include "([^"]+)"/gm)) {
    const rule = mayInclude.find(([where]) => where.test(file));
    if (rule && !isTest(file) && !rule[1].test(m[1])) complain(file, lineOf(text, m.index), `may not include ${m[1]}`);
  }
  text.split('\n').forEach((line, i) => {
    if (/\t/.test(line)) complain(file, i + 1, 'a tab');
    if (/\s$/.test(line)) complain(file, i + 1, 'white space at the end');
  });
  const lines = text.split('\n').length - 1;
  if (lines > (isTest(file) ? 900 : 700)) complain(file, lines, `${lines} lines: this wants to be two files`);
}

function checkLinks(file) {
  const text = fs.readFileSync(file, 'utf8').replace(/```[\s\S]*?```/g, (s) => s.replace(/[^\n]/g, ' '));
  for (const m of text.matchAll(/\]\(([^)\s]+)\)|<img[^>]*\ssrc="([^"]+)"/g)) {
    const target = (m[1] || m[2]).split('#')[0];
    if (target === '' || /^[a-z]+:/.test(target)) continue;
    if (!fs.existsSync(path.resolve(path.dirname(file), target)))
      complain(file, lineOf(text, m.index), `there is no ${target}`);
  }
}

const check = { c: checkC, links: checkLinks }[rules];
if (!check || files.length === 0) {
  console.error('usage: source-rules.js c|links FILE...');
  process.exit(2);
}
files.forEach(check);
process.exitCode = found ? 1 : 0;
