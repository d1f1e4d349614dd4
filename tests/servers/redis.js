'use strict';
/*
 * A Redis server for tests, as long as a command runs.
 *
 *   node redis.js [OPTION...] -- COMMAND [ARG...]
 *       In an argument {url} stands for the server's URL, {folder} for what is removed at the end.  Ends as COMMAND
 *       does; tells at the end what was done to the server.
 *       --tls            it speaks nothing else, and wants a certificate: {folder}/ca.crt, client.crt, client.key
 *       --acl RULE       its only user; PASSWORD in the rule stands for the password below, which is not in {url}
 *       --unix           {url} is that of its unix socket
 *       --appendonly     what it has acknowledged is there again after `restart`
 *       --set NAME=VALUE of its configuration; repeatable
 *       --faults PERMILLE [--seed N]   in so many of a thousand packets, either way, something goes wrong
 *       --ballast        somebody else fills its memory, on and on: so that it evicts (--set maxmemory=8mb)
 *       --for SECONDS    that is how long faults and ballast last
 *       --at SECONDS ACTION            so long after COMMAND has begun; repeatable
 *   node redis.js --tell ACTION
 *       from within COMMAND
 *
 * Actions: cut, restart (SIGKILL; started again), stop, continue (SIGSTOP, SIGCONT), flush (FLUSHALL), forget-scripts,
 * wipe (no mark and counter is left), save, rollback (marks and counters as they were at `save`).
 */
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { execFileSync, spawn } = require('node:child_process');
const { control, tell } = require('./front');

const CONTROL = 'REDIS_TEST_CONTROL'; // where --tell finds the server: a variable for COMMAND
const PASSWORD = 'a/pass+word';
const PATIENCE_MS = 20000;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Below where the kernel takes ports for connections, so that none of them gets in the way. */
async function freePort() {
  for (;;) {
    const port = 10000 + Math.floor(Math.random() * 20000);
    const free = await new Promise((resolve) => {
      const server = net.createServer().once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

// ---- the server ------------------------------------------------------------------------------------------

/** A certificate authority, a server's certificate for localhost, and a client's. */
function certify(folder) {
  const run = (...args) => execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  run('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-days', '30', '-subj', '/CN=Tests',
    '-addext', 'basicConstraints=critical,CA:TRUE');
  for (const [name, subject] of [['server', 'DNS:localhost'], ['client', 'DNS:client']]) {
    fs.writeFileSync(path.join(folder, 'names'), `subjectAltName=${subject}\n`);
    run('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    run('x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-out', `${name}.crt`,
      '-days', '30', '-extfile', 'names');
  }
}

/** Another way in, for what the tests do: a unix socket, with a user of its own. */
const back = (it) => path.join(it.folder, 'redis.sock');

function settingsOf(it) {
  const at = (name) => path.join(it.folder, name);
  const settings = [['bind', '127.0.0.1'], ['unixsocket', back(it)], ['dir', it.folder], ['save', '""'],
    ['appendonly', it.appendonly ? 'yes' : 'no'], ['port', it.tls ? 0 : it.port], ...it.set];
  if (it.tls) {
    settings.push(['tls-port', it.port], ['tls-auth-clients', 'yes'], ['tls-cert-file', at('server.crt')],
      ['tls-key-file', at('server.key')], ['tls-ca-cert-file', at('ca.crt')]);
  }
  if (it.acl) settings.push(['aclfile', at('users.acl')]);
  return settings;
}

async function launch(it) {
  const log = fs.openSync(path.join(it.folder, 'log'), 'a');
  it.child = spawn('redis-server', [path.join(it.folder, 'redis.conf')], { cwd: it.folder, stdio: ['ignore', log, log] });
  fs.closeSync(log);
  it.over = new Promise((resolve) => {
    it.child.on('exit', resolve);
    it.child.on('error', resolve);
  });
  for (const end = performance.now() + PATIENCE_MS; ;) {
    try {
      if (ask(it, 'PING') === 'PONG') return;
    } catch (error) {
      if (performance.now() > end || it.child.exitCode !== null) throw error;
    }
    await pause(10);
  }
}

/** One command; its answer as redis-cli writes it. */
function ask(it, ...words) {
  const login = it.acl ? ['--user', 'tests', '--pass', PASSWORD, '--no-auth-warning'] : [];
  return execFileSync('redis-cli', ['-e', '-s', back(it), ...login, ...words], { stdio: ['ignore', 'pipe', 'pipe'] }).toString().trim();
}

async function kill(it) {
  if (it.child.exitCode !== null || it.child.signalCode !== null) return;
  it.child.kill('SIGKILL'); // also one that is stopped
  await it.over;
}

// ---- what is done to it ----------------------------------------------------------------------------------

/** Names of keys may have any bytes, so all this is done in the server. */
const EACH = "for _, k in ipairs(redis.call('KEYS', ARGV[1] .. '*:[tn]:{*}:*')) do";
const WIPE = `${EACH} redis.call('DEL', k) end`;
const SAVE = `${EACH} redis.call('COPY', k, 'saved|' .. k, 'REPLACE') end`;
const BRING_BACK = `${EACH} redis.call('RENAME', k, k:sub(7)) end`;

const actions = {
  cut: kill,
  async restart(it) {
    await kill(it);
    await launch(it);
  },
  stop: (it) => it.child.kill('SIGSTOP'),
  continue: (it) => it.child.kill('SIGCONT'),
  flush: (it) => ask(it, 'FLUSHALL'),
  'forget-scripts': (it) => ask(it, 'SCRIPT', 'FLUSH'),
  wipe: (it) => ask(it, 'EVAL', WIPE, '0', 'larder'),
  save: (it) => ask(it, 'EVAL', SAVE, '0', 'larder'),
  rollback(it) {
    actions.wipe(it);
    ask(it, 'EVAL', BRING_BACK, '0', 'saved|');
  },
};

async function act(it, name) {
  if (!actions[name]) throw new Error(`what is ${name}?`);
  const begin = performance.now();
  await actions[name](it);
  it.told.push(`${name} at ${((begin - it.begin) / 1000).toFixed(1)} s`);
}

// ---- what goes wrong on the way ----------------------------------------------------------------------------

/** splitmix32: --seed makes the same choices for the same packets. */
function randomness(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) % below;
  };
}

/** Each gets {from, to, packet, random}; `from` is paused meanwhile. */
const faults = {
  reset: ({ from, to }) => [from, to].forEach((socket) => socket.resetAndDestroy()),
  cut({ from, to, packet, random }) {
    to.end(packet.subarray(0, random(packet.length)));
    from.destroy();
  },
  silent: ({ from }) => from.removeAllListeners('data'),
  garbage({ to }) {
    to.write('HTTP/1.1 400 Bad Request\r\n\r\n');
    to.end();
  },
  async late({ to, packet, random }) {
    await pause(random(100));
    to.write(packet);
  },
  async dripped({ to, packet, random }) {
    for (let at = 0, step = 1 + random(packet.length); at < packet.length; at += step) {
      to.write(packet.subarray(at, at + step));
      await pause(1);
    }
  },
};

/** Between the command and the server; answers its port. */
async function proxy(it) {
  const random = randomness(it.seed);
  const names = Object.keys(faults);
  const until = performance.now() + it.seconds * 1000;
  const pipe = (from, to) => {
    from.on('data', async (packet) => {
      if (random(1000) >= it.permille || performance.now() > until) {
        if (!to.write(packet)) {
          from.pause();
          to.once('drain', () => from.resume());
        }
        return;
      }
      const name = names[random(names.length)];
      it.faults[name] = (it.faults[name] || 0) + 1;
      from.pause();
      await faults[name]({ from, to, packet, random });
      from.resume();
    });
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
  };
  const server = net.createServer({ noDelay: true }, (near) => {
    const far = net.connect({ port: it.port, host: '127.0.0.1', noDelay: true });
    pipe(near, far);
    pipe(far, near);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server.address().port;
}

/** Values of 50 KB, more of them than there is room for, written anew one after the other. */
function ballast(it) {
  const random = randomness(it.seed);
  const socket = net.connect(back(it));
  socket.on('error', () => {});
  socket.resume();
  const value = 'x'.repeat(50000);
  const end = performance.now() + it.seconds * 1000;
  setInterval(() => {
    if (performance.now() > end) return;
    const key = `ballast:${random(400)}`;
    socket.write(`*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${value.length}\r\n${value}\r\n`);
  }, 2).unref();
}

// ---- the command line ----------------------------------------------------------------------------------------

function options(words) {
  const given = { set: [], at: [], permille: 0, seconds: Infinity, seed: 1, command: [] };
  for (let i = 0; i < words.length; i++) {
    if (words[i] === '--') given.command = words.slice(i + 1);
    if (words[i] === '--') break;
    if (words[i] === '--tls') given.tls = true;
    else if (words[i] === '--acl') given.acl = words[++i];
    else if (words[i] === '--unix') given.unix = true;
    else if (words[i] === '--appendonly') given.appendonly = true;
    else if (words[i] === '--set') given.set.push(words[++i].split('='));
    else if (words[i] === '--faults') given.permille = Number(words[++i]);
    else if (words[i] === '--for') given.seconds = Number(words[++i]);
    else if (words[i] === '--ballast') given.ballast = true;
    else if (words[i] === '--seed') given.seed = Number(words[++i]);
    else if (words[i] === '--at') given.at.push([Number(words[++i]), words[++i]]);
    else throw new Error(`what is ${words[i]}?`);
  }
  if (given.command.length === 0) throw new Error('there is no command; see the head of this file');
  return given;
}

async function start(it) {
  it.port = await freePort();
  if (it.tls) certify(it.folder);
  if (it.acl) {
    fs.writeFileSync(path.join(it.folder, 'users.acl'), `user default off\nuser tests on >${PASSWORD} ~* &* +@all\n${it.acl.replace('PASSWORD', PASSWORD)}\n`);
  }
  fs.writeFileSync(path.join(it.folder, 'redis.conf'), settingsOf(it).map((words) => `${words.join(' ')}\n`).join(''));
  await launch(it);
  const user = it.acl ? `${/^user (\S+)/.exec(it.acl)[1]}@` : '';
  if (it.unix) return `unix://${user}${back(it)}`;
  const port = it.permille > 0 ? await proxy(it) : it.port;
  return it.tls ? `rediss://${user}localhost:${port}` : `redis://${user}127.0.0.1:${port}`;
}

async function run(it) {
  const url = await start(it);
  const [program, ...args] = it.command.map((word) => word.replaceAll('{url}', url).replaceAll('{folder}', it.folder));
  const env = { ...process.env, [CONTROL]: await control((what) => act(it, what)) };
  if (it.acl) env.REDIS_PASSWORD = PASSWORD;
  const child = spawn(program, args, { stdio: 'inherit', env });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  it.begin = performance.now();
  if (it.ballast) ballast(it);
  const failed = [];
  const timers = it.at.map(([seconds, name]) => setTimeout(() => {
    it.acting = Promise.resolve(it.acting).then(() => act(it, name)).catch((error) => failed.push(`${name}: ${error.message}`));
  }, seconds * 1000));
  const status = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? (signal ? 128 : 1)));
  });
  timers.forEach(clearTimeout);
  if (it.told.length < it.at.length) failed.push('the command ended before all was done to the server');
  if (it.at.length > 0) console.log(`server: ${it.told.join(', ')}`);
  if (it.ballast) console.log(`server: ${/evicted_keys:\d+/.exec(ask(it, 'INFO', 'stats'))[0]}`);
  if (it.permille > 0) console.log(`faults: ${JSON.stringify(it.faults)}`);
  failed.forEach((line) => console.error(`redis.js: ${line}`));
  return status || (failed.length > 0 ? 1 : 0);
}

async function main(words) {
  if (words[0] === '--tell') {
    await tell(process.env[CONTROL], words[1]);
    return 0;
  }
  const it = { ...options(words), told: [], faults: {}, begin: performance.now() };
  it.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-redis-'));
  process.on('exit', () => it.child && it.child.kill('SIGKILL'));
  try {
    return await run(it);
  } catch (error) {
    const log = path.join(it.folder, 'log');
    if (fs.existsSync(log)) console.error(fs.readFileSync(log, 'utf8').split('\n').slice(-8).join('\n'));
    throw error;
  } finally {
    if (it.child) await kill(it);
    fs.rmSync(it.folder, { recursive: true, force: true });
  }
}

main(process.argv.slice(2)).then((status) => process.exit(status), (error) => {
  console.error(`redis.js: ${error.message}`);
  process.exit(2);
});
