'use strict';
/*
 * memcached for tests, one or several, as long as a command runs.
 *
 *   node memcached.js [--servers N] [--memory MB] [--socket] [--sasl] [--press] [--trouble SECONDS] -- COMMAND [ARG...]
 *       `{url}` in an argument stands for the list, as in memcached://127.0.0.1:40001,127.0.0.1:40002;
 *       `{port}` for the port of the first.  Ends as COMMAND does.
 *       --memory   -m (64); --socket: unix sockets in place of ports
 *       --sasl     SASL is wanted, of the user "larder" with the password in `password`
 *       --press    others fill the servers all the time, so that they evict
 *       --trouble  for so long one server after the other is killed and comes back empty, and the next one stands
 *                  still for a while; what was done is told at the end
 *   node memcached.js --tell TASK [WHICH]
 *       from within COMMAND, of all servers or of number WHICH (0 is the first):
 *       kill       it is gone, with all its data        start   it is back, empty
 *       stop       it stands still (SIGSTOP)            cont    it goes on
 *       flush      its data are gone                    stats   prints how many items it has evicted
 *
 * Servers listen on 127.0.0.1 alone, and are ended by the ids of their processes.
 */
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { spawn, execFileSync } = require('node:child_process');

const CONTROL = 'MEMCACHED_TEST_CONTROL'; // where --tell finds this process: a variable for COMMAND
const password = 'pass:word/with=all';
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** A port that nobody has at the moment. */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** One line to a server, and what it answers up to `last`. */
function say(where, line, last) {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = net.connect(where, () => socket.write(`${line}\r\n`));
    socket.setTimeout(2000, () => socket.destroy(new Error('no answer')));
    socket.on('error', reject);
    socket.on('data', (data) => {
      text += data;
      if (!text.includes(last)) return;
      resolve(text);
      socket.end();
    });
  });
}

function connects(where) {
  return new Promise((resolve) => {
    const socket = net.connect(where, () => { socket.destroy(); resolve(true); });
    socket.on('error', () => resolve(false));
  });
}

/** A user database in `folder` for --sasl: {SASL_CONF_PATH} for the server's environment. */
function sasl(folder) {
  const base = path.join(folder, 'sasldb');
  fs.writeFileSync(path.join(folder, 'memcached.conf'), `mech_list: plain\nsasldb_path: ${base}\n`);
  execFileSync('saslpasswd2', ['-a', 'memcached', '-c', '-p', '-f', base, '-u', os.hostname(), 'larder'],
    { input: password });
  fs.chmodSync(base, 0o644);
  return { SASL_CONF_PATH: folder };
}

class Server {
  constructor(where, args, env) {
    Object.assign(this, { where, args, env, child: null });
  }

  async start() {
    if (this.child) return;
    const child = spawn('memcached', this.args, { stdio: ['ignore', 'ignore', 'inherit'], env: this.env });
    this.child = child;
    child.ended = new Promise((resolve) => { child.on('exit', resolve); child.on('error', resolve); });
    child.ended.then(() => { if (this.child === child) this.child = null; });
    for (let i = 0; i < 500; i++) {
      if (this.child !== child) throw new Error('memcached ended as soon as it was started');
      if (await connects(this.where)) return;
      await pause(10);
    }
    throw new Error('memcached does not answer');
  }

  async kill() {
    const { child } = this;
    if (!child) return;
    child.kill('SIGKILL');
    await child.ended;
  }

  stop() {
    this.child?.kill('SIGSTOP');
  }

  cont() {
    this.child?.kill('SIGCONT');
  }

  flush() {
    return say(this.where, 'flush_all', 'OK');
  }

  async stats() {
    const text = await say(this.where, 'stats', 'END');
    return `evictions ${/STAT evictions (\d+)/.exec(text)[1]}, items ${/STAT curr_items (\d+)/.exec(text)[1]}`;
  }
}

async function servers(given, folder) {
  const list = [];
  const env = { ...process.env, ...(given.sasl ? sasl(folder) : {}) };
  for (let i = 0; i < given.servers; i++) {
    const where = given.socket ? { path: path.join(folder, `${i}.sock`) } : { host: '127.0.0.1', port: await freePort() };
    const args = ['-m', String(given.memory), '-t', '2', '-c', '1024', '-A'];
    if (given.socket) args.push('-s', where.path, '-a', '0777');
    else args.push('-l', '127.0.0.1', '-p', String(where.port), '-U', '0');
    if (given.sasl) args.push('-S');
    if (process.getuid() === 0) args.push('-u', 'nobody');
    list.push(new Server(where, args, env));
  }
  for (const server of list) await server.start();
  return list;
}

/** Writes items of all sizes, as many as the server takes, until the function that comes back is called. */
function press(where) {
  let n = 0;
  const socket = net.connect(where);
  const write = () => {
    const bytes = 50 + ((n * 7919) % 3000);
    socket.write(`set press:${n++} 0 0 ${bytes}\r\n${'x'.repeat(bytes)}\r\n`);
  };
  socket.on('connect', write);
  socket.on('data', write);
  socket.on('error', () => {});
  return () => socket.destroy();
}

/** Ends within `seconds`, with all servers as they were; told: {killed, stopped}. */
async function trouble(list, seconds, told) {
  const until = performance.now() + seconds * 1000;
  for (let i = 0; performance.now() < until; i++) {
    const [one, other] = [list[i % list.length], list[(i + 1) % list.length]];
    await one.kill();
    if (one !== other) other.stop();
    await pause(600);
    other.cont();
    await one.start();
    told.killed++;
    told.stopped += one !== other ? 1 : 0;
    await pause(500);
  }
}

/** Does what --tell asks for, and answers when it is done. */
function control(list) {
  const known = ['kill', 'start', 'stop', 'cont', 'flush', 'stats'];
  const server = http.createServer(async (request, response) => {
    const [, task, which] = request.url.split('/');
    try {
      if (!known.includes(task)) throw new Error(`what is ${task}?`);
      const chosen = which ? [list[Number(which)]] : list;
      const answers = [];
      for (const one of chosen) answers.push(await one[task]());
      response.end(task === 'stats' ? `${answers.join('\n')}\n` : '');
    } catch (error) {
      response.writeHead(500);
      response.end(String(error));
    }
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}`));
  });
}

async function tell([task, which = '']) {
  const response = await fetch(`${process.env[CONTROL]}/${task}/${which}`);
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  process.stdout.write(text);
}

function options(words) {
  const given = { servers: 1, memory: 64, socket: false, sasl: false, press: false, trouble: 0, command: [] };
  for (let i = 0; i < words.length; i++) {
    if (words[i] === '--') given.command = words.slice(i + 1);
    if (words[i] === '--') break;
    if (words[i] === '--servers') given.servers = Number(words[++i]);
    else if (words[i] === '--memory') given.memory = Number(words[++i]);
    else if (words[i] === '--socket') given.socket = true;
    else if (words[i] === '--sasl') given.sasl = true;
    else if (words[i] === '--press') given.press = true;
    else if (words[i] === '--trouble') given.trouble = Number(words[++i]);
    else throw new Error(`what is ${words[i]}?`);
  }
  if (given.command.length === 0) throw new Error('there is no command; see the head of this file');
  return given;
}

function urlOf(list) {
  return `memcached://${list.map(({ where }) => where.path || `${where.host}:${where.port}`).join(',')}`;
}

async function main(words) {
  if (words[0] === '--tell') {
    await tell(words.slice(1));
    return 0;
  }
  const given = options(words);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-memcached-'));
  fs.chmodSync(folder, 0o777); // the servers run as nobody
  let list = [];
  try {
    list = await servers(given, folder);
    const values = { url: urlOf(list), port: String(list[0].where.port), password };
    const [program, ...args] = given.command.map((word) => word.replace(/\{(url|port|password)\}/g, (_, name) => values[name]));
    const env = { ...process.env, [CONTROL]: await control(list) };
    const child = spawn(program, args, { stdio: 'inherit', env });
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
    const told = { killed: 0, stopped: 0 };
    const pressing = given.press ? list.map(({ where }) => press(where)) : [];
    const troubled = trouble(list, given.trouble, told);
    const status = await new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code, signal) => resolve(code ?? (signal ? 128 : 1)));
    });
    for (const end of pressing) end();
    await troubled;
    if (given.trouble > 0) console.log(`servers: ${JSON.stringify(told)}`);
    if (given.press) console.log(`servers: ${await list[0].stats()}`);
    return status;
  } finally {
    for (const server of list) await server.kill();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

main(process.argv.slice(2)).then((status) => process.exit(status), (error) => {
  console.error(`memcached.js: ${error.message}`);
  process.exit(2);
});
