/*
 * Starts and ends the servers of the example: what serve.mjs (for people) and check.mjs (for
 * machines) have in common.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const NEXT = join(HERE, 'node_modules/next/dist/bin/next');
const START_MS = 60_000;
const STOP_MS = 10_000;
const POLL_MS = 50;

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The given port of loopback if nobody listens there, or with 0 any that is free; else null. */
export function freePort(port = 0) {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(null));
    probe.listen(port, '127.0.0.1', () => {
      const { port: found } = probe.address();
      probe.close(() => resolve(found));
    });
  });
}

/** `count` different free ports, from `first` upwards if given. */
export async function freePorts(count, first = 0) {
  const found = [];
  for (let port = first; found.length < count && port < 65536; port += first ? 1 : 0) {
    const free = await freePort(port);
    if (free !== null && !found.includes(free)) found.push(free);
  }
  if (found.length < count) throw new Error(`no ${count} free ports from ${first} upwards`);
  return found;
}

/** The store that the build uses if nobody names one. */
export const DEFAULT_STORE = `fs:${join(HERE, '.next/cache/larder')}`;

/**
 * Servers named A, B ... that share one store and know each other's addresses.  `logs` is a folder
 * that gets one log for each.  The store is to be the one that the build saw: to any other, nobody
 * can say whether a page of the build is older than a revalidation, and it is rendered once more.
 */
export class Servers {
  constructor({ ports, originPort, store, tags, logs }) { // store, tags: URLs of docs/configuration.md
    this.logs = logs;
    this.store = store;
    this.tags = tags; // undefined: where the entries are
    this.running = new Map();
    this.bases = new Map(ports.map((port, i) => [String.fromCharCode(65 + i), `http://127.0.0.1:${port}`]));
    this.env = {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('LARDER_'))),
      NODE_ENV: 'production',
      NEXT_TELEMETRY_DISABLED: '1',
      LARDER_CACHE: this.store,
      ...(this.tags && { LARDER_TAGS: this.tags }),
      EXAMPLE_PEERS: [...this.bases].map(([name, base]) => `${name}=${base}`).join(' '),
      ORIGIN_PORT: String(originPort),
    };
    mkdirSync(logs, { recursive: true });
  }

  base(name) {
    return this.bases.get(name);
  }

  async start(name) {
    const port = new URL(this.base(name)).port;
    const logFile = join(this.logs, `${name}.log`);
    const log = openSync(logFile, 'a');
    const child = spawn(process.execPath, [NEXT, 'start', '--hostname', '127.0.0.1', '--port', port], {
      cwd: HERE, env: { ...this.env, EXAMPLE_SERVER: name }, stdio: ['ignore', log, log],
    });
    closeSync(log);
    const server = { child, ended: false, done: null };
    server.done = new Promise((resolve) => {
      child.once('exit', () => { server.ended = true; resolve(); });
      child.once('error', () => { server.ended = true; resolve(); });
    });
    this.running.set(name, server);
    const deadline = Date.now() + START_MS;
    while (!(await this.answers(name))) {
      if (server.ended || Date.now() > deadline) {
        throw new Error(`server ${name} did not start; the end of ${logFile}:\n${tail(logFile)}`);
      }
      await pause(POLL_MS);
    }
  }

  /** Asks for a file, not for a page, so that no entry is touched. */
  async answers(name) {
    try {
      const response = await fetch(`${this.base(name)}/icon.svg`, { signal: AbortSignal.timeout(2000) });
      await response.arrayBuffer();
      return response.ok;
    } catch {
      return false;
    }
  }

  async stop(name, signal = 'SIGTERM') {
    const server = this.running.get(name);
    if (!server) return;
    this.running.delete(name);
    if (!server.ended) server.child.kill(signal);
    const timer = setTimeout(() => server.child.kill('SIGKILL'), STOP_MS);
    await server.done;
    clearTimeout(timer);
  }

  startAll() {
    return Promise.all([...this.bases.keys()].map((name) => this.start(name)));
  }

  stopAll(signal) {
    return Promise.all([...this.running.keys()].map((name) => this.stop(name, signal)));
  }
}

export function tail(file, lines = 25) {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
}
