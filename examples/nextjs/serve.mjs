#!/usr/bin/env node
/* Starts two servers of the built example on one store, until Ctrl-C.  See script/demo. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DEFAULT_STORE, Servers, freePort, freePorts } from './servers.mjs';

const { values } = parseArgs({ options: { port: { type: 'string' }, dir: { type: 'string' }, store: { type: 'string' },
  tags: { type: 'string' }, help: { type: 'boolean' } } });
if (values.help) {
  console.log('usage: node serve.mjs [--port N] [--dir DIR] [--store URL [--tags URL]]\n\n' +
    '--port N     of the first server (3000 or the next free one); the second takes the next free one\n' +
    '--dir DIR    with the store that the build saw, in DIR/store; gets the logs.\n' +
    '             Default: the store is .next/cache/larder, and the logs are temporary\n' +
    '--store URL  another store, which the build saw as LARDER_CACHE\n' +
    '--tags URL   another one for the tags, which it saw as LARDER_TAGS');
  process.exit(0);
}

const wanted = values.port === undefined ? null : Number(values.port);
if (wanted !== null && (await freePort(wanted)) === null) {
  console.error(`port ${values.port} of 127.0.0.1 is not free`);
  process.exit(1);
}
const ports = await freePorts(2, wanted ?? 3000);
const [originPort] = await freePorts(1);
const logs = values.dir ?? mkdtempSync(join(tmpdir(), 'larder-example-'));
const store = values.store ?? (values.dir ? `fs:${join(values.dir, 'store')}` : DEFAULT_STORE);
const servers = new Servers({ ports, originPort, store, tags: values.tags, logs });

let ending = false;
async function end(code) {
  if (ending) return;
  ending = true;
  await servers.stopAll();
  if (!values.dir) rmSync(logs, { recursive: true, force: true });
  process.exit(code);
}
process.on('SIGINT', () => end(0));
process.on('SIGTERM', () => end(0));
process.on('SIGHUP', () => end(0));

try {
  await servers.startAll();
} catch (error) {
  console.error(error.message);
  await end(1);
}
console.log(`
  Open    ${servers.base('A')}
  and     ${servers.base('B')}    another process on the same store

  Store   ${servers.store}${servers.tags ? `
  Tags    ${servers.tags}` : ''}
  Logs    ${join(logs, 'A.log')}, ${join(logs, 'B.log')}

Ctrl-C ends both.`);
await Promise.race([...servers.running].map(async ([name, server]) => {
  await server.done;
  if (!ending) console.error(`server ${name} ended by itself; see its log`);
}));
await end(1);
