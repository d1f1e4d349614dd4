'use strict';
// redis-server as long as a run: on a free port and on a unix socket, nothing on disk.

const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { freePort, start } = require('../lib/server.js');

/** @returns {Promise<{ port: number, socket: string, tcp: string, unix: string, version: string, flush: () => void }>} */
async function startRedis(dir) {
  const port = await freePort();
  const socket = path.join(dir, 'redis.sock');
  await start('redis-server', [
    '--bind', '127.0.0.1', '--port', String(port), '--unixsocket', socket, '--dir', dir, '--save', '', '--appendonly', 'no',
    // @trieb.work/nextjs-turbo-redis-cache asks for it, and then keeps its map of tags by it.
    '--notify-keyspace-events', 'Exe',
  ], { dir, where: { path: socket } });
  const cli = (...args) => {
    const { status, stdout, stderr } = spawnSync('redis-cli', ['-s', socket, ...args], { encoding: 'utf8', timeout: 30_000 });
    if (status !== 0) throw new Error(`redis-cli ${args.join(' ')}: ${stdout}${stderr}`);
    return stdout.trim();
  };
  return {
    port, socket, tcp: `redis://127.0.0.1:${port}`, unix: `unix://${socket}`,
    version: /redis_version:(\S+)/.exec(cli('INFO', 'server'))[1],
    flush: () => cli('FLUSHALL'),
  };
}

module.exports = { startRedis };
