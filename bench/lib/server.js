'use strict';
// Servers that live as long as a run: on a free port of 127.0.0.1, or on a socket in a folder of the run.

const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { spawn } = require('node:child_process');

const ATTEMPTS = 500;
const WAIT_MS = 20;

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer().once('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

const accepts = (where) => new Promise((resolve) => {
  const socket = net.connect(where, () => {
    socket.destroy();
    resolve(true);
  }).on('error', () => resolve(false));
});

/**
 * Starts a program in the foreground and waits until it takes connections.  It is stopped when this process ends.
 * @param {string[]} args
 * @param {{ dir: string, where: { port: number, host: string } | { path: string } }} options  dir: for what it says
 * @returns {Promise<{ pid: number, stop: () => void }>}
 */
async function start(program, args, { dir, where }) {
  const name = path.basename(program);
  const log = path.join(dir, `${name}.log`);
  const out = fs.openSync(log, 'w');
  const child = spawn(program, args, { cwd: dir, stdio: ['ignore', out, out] });
  fs.closeSync(out);
  let failure;
  child.on('error', (error) => (failure = error));
  const stop = () => child.kill('SIGTERM');
  process.on('exit', stop);
  for (let i = 0; i < ATTEMPTS; i++) {
    if (failure || child.exitCode !== null) throw new Error(`${name}: ${failure?.message ?? fs.readFileSync(log, 'utf8')}`);
    if (await accepts(where)) return { pid: child.pid, stop };
    await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
  }
  throw new Error(`${name} does not answer: ${fs.readFileSync(log, 'utf8')}`);
}

module.exports = { freePort, start };
