'use strict';
/*
 * Redis servers that belong together, for tests, as long as a command runs: a cluster, or a master with its replica
 * and three sentinels.
 *
 *   node redis-group.js cluster|sentinel [--tls] [--password] [--at SECONDS ACTION]... -- COMMAND [ARG...]
 *       In an argument {url} stands for the URL of the whole, {primary} for that of one server alone, {folder} for
 *       what is removed at the end (with --tls ca.crt is there).  Ends as COMMAND does; tells at the end what was done
 *       to the servers.
 *       --tls        servers speak nothing else, also among themselves (cluster)
 *       --password   they want PASSWORD below, sentinels too
 *       --at         ACTION so long after COMMAND has begun; repeatable
 *   node redis-group.js --tell ACTION
 *       from within COMMAND
 *
 * Actions; KEY is a key of Redis, whose primary is meant (with sentinels there is one primary):
 *   kill:KEY       SIGKILL; it stays down
 *   stop:KEY       SIGSTOP
 *   continue       those that were stopped run on
 *   revive         those that were killed are started again, and nobody waits for them
 *   failover:KEY   its replica takes over, in good order
 *   reshard:KEY    its slot is moved to another primary, some keys at a time; `*`: of every key
 *                  that there is (cluster)
 *   stop-replica:KEY, cut-replica:KEY   SIGSTOP of its replica; and nothing that is sent to it waits for it
 *   cut, restart   all servers are killed; are started again, and work
 */
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const tls = require('node:tls');
const { execFileSync, spawn } = require('node:child_process');
const { control, tell } = require('./front');

const CONTROL = 'REDIS_GROUP_TEST_CONTROL'; // where --tell finds the servers: a variable for COMMAND
const PASSWORD = 'a/pass+word';
const PATIENCE_MS = 30000;
const SLOTS = 16384;
const NODE_TIMEOUT_MS = 1000; // after which a silent server counts as failed
const NAME = 'mymaster';

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Until `look` gives something; what it throws is an answer that says "not yet". */
async function until(what, look) {
  const end = performance.now() + PATIENCE_MS;
  let last = '';
  while (performance.now() < end) {
    try {
      const found = await look();
      if (found) return found;
    } catch (error) {
      last = error.message;
    }
    await pause(20);
  }
  throw new Error(`waited too long until ${what}: ${last}`);
}

// ---- talking to one server -------------------------------------------------------------------------

/** One value of RESP2 at `at`: [value, next], or null where it is not all there. */
function parse(bytes, at) {
  const end = bytes.indexOf('\r\n', at);
  if (end < 0) return null;
  const line = bytes.toString('utf8', at + 1, end);
  let next = end + 2;
  switch (bytes[at]) {
    case 0x2b: return [line, next];
    case 0x2d: return [new Error(line), next];
    case 0x3a: return [Number(line), next];
    case 0x24: {
      const length = Number(line);
      if (length < 0) return [null, next];
      return bytes.length < next + length + 2 ? null : [bytes.toString('utf8', next, next + length), next + length + 2];
    }
    case 0x2a: {
      const list = [];
      for (let left = Number(line); left > 0; left--) {
        const item = parse(bytes, next);
        if (!item) return null;
        list.push(item[0]);
        next = item[1];
      }
      return [list, next];
    }
    default: throw new Error(`no RESP: ${line}`);
  }
}

const written = (words) => `*${words.length}\r\n${words.map((w) => `$${Buffer.byteLength(String(w))}\r\n${w}\r\n`).join('')}`;

/** Commands one after the other on a connection of their own; the last one's answer. */
function ask(group, port, ...commands) {
  const all = group.password ? [['AUTH', PASSWORD], ...commands] : commands;
  return new Promise((resolve, reject) => {
    const to = { host: '127.0.0.1', port, ca: group.ca };
    const socket = group.ca ? tls.connect(to) : net.connect(to);
    let bytes = Buffer.alloc(0);
    let answers = 0;
    const end = (error, value) => {
      socket.destroy();
      if (error) reject(error);
      else resolve(value);
    };
    socket.setTimeout(2000, () => end(new Error('no answer')));
    socket.on('error', end);
    socket.on('close', () => end(new Error('closed')));
    socket.on('data', (more) => {
      bytes = Buffer.concat([bytes, more]);
      for (let item = parse(bytes, 0); item; item = bytes.length ? parse(bytes, 0) : null) {
        bytes = bytes.subarray(item[1]);
        if (item[0] instanceof Error) end(item[0]);
        if (++answers === all.length) end(null, item[0]);
      }
    });
    socket.write(all.map(written).join(''));
  });
}

// ---- processes -----------------------------------------------------------------------------------------

const taken = new Set();

/** Below where the kernel takes ports for connections, so that none of them gets in the way. */
async function freePort() {
  for (;;) {
    const port = 10000 + Math.floor(Math.random() * 20000);
    const free = await new Promise((resolve) => {
      const server = net.createServer().once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free && !taken.has(port)) {
      taken.add(port);
      return port;
    }
  }
}

/**
 * A server: {name, port, settings, child}.  It is started again with what it wrote into its folder: who is whose
 * replica stands in its configuration, which it rewrites itself.
 */
function launch(group, server) {
  const folder = path.join(group.folder, server.name);
  const file = path.join(folder, 'redis.conf');
  fs.mkdirSync(folder, { recursive: true });
  if (!fs.existsSync(file)) fs.writeFileSync(file, server.settings.map((words) => `${words.join(' ')}\n`).join(''));
  const log = fs.openSync(path.join(folder, 'log'), 'a');
  server.child = spawn('redis-server', [file, ...(server.sentinel ? ['--sentinel'] : [])], { cwd: folder, stdio: ['ignore', log, log] });
  fs.closeSync(log);
  server.stopped = false;
  server.over = new Promise((resolve) => {
    server.child.on('exit', resolve);
    server.child.on('error', resolve);
  });
}

const running = (server) => server.child.exitCode === null && server.child.signalCode === null;

async function end(server) {
  if (!running(server)) return;
  server.child.kill('SIGKILL'); // also one that is stopped
  await server.over;
}

function settingsOf(group, { port, busPort, master }) {
  const settings = [...portSettings(group, port), ['save', '""'], ['appendonly', 'no'],
    // A replica of which nothing has been heard since it began is not told of by CLUSTER SLOTS.
    ['repl-diskless-sync-delay', 0], ['repl-ping-replica-period', 1], ['maxmemory', '256mb']];
  if (group.password) settings.push(['requirepass', PASSWORD], ['masterauth', PASSWORD]);
  if (busPort) {
    settings.push(['cluster-enabled', 'yes'], ['cluster-port', busPort], ['cluster-node-timeout', NODE_TIMEOUT_MS],
      ['cluster-allow-replica-migration', 'no']);
  }
  if (master) settings.push(['replicaof', '127.0.0.1', master]);
  return settings;
}

function portSettings(group, port) {
  const at = (name) => path.join(group.folder, name);
  if (!group.ca) return [['bind', '127.0.0.1'], ['port', port]];
  return [['bind', '127.0.0.1'], ['port', 0], ['tls-port', port], ['tls-replication', 'yes'], ['tls-auth-clients', 'no'],
    ['tls-cert-file', at('server.crt')], ['tls-key-file', at('server.key')], ['tls-ca-cert-file', at('ca.crt')],
    ...(group.kind === cluster ? [['tls-cluster', 'yes']] : [])];
}

/** A certificate authority and a server's certificate for 127.0.0.1. */
function certify(folder) {
  const run = (...args) => execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  fs.writeFileSync(path.join(folder, 'names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  run('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-days', '30', '-subj', '/CN=Tests',
    '-addext', 'basicConstraints=critical,CA:TRUE');
  run('req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=localhost');
  run('x509', '-req', '-in', 'server.csr', '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-out', 'server.crt',
    '-days', '30', '-extfile', 'names');
  return fs.readFileSync(path.join(folder, 'ca.crt'));
}

// ---- a cluster -----------------------------------------------------------------------------------------

function crc16(text) {
  let crc = 0;
  for (const byte of Buffer.from(text)) {
    crc ^= byte << 8;
    for (let i = 0; i < 8; i++) crc = (crc << 1 ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return crc;
}

function slotOf(key) {
  const tag = /^[^{]*\{([^}]+)\}/.exec(key);
  return crc16(tag ? tag[1] : key) % SLOTS;
}

const cluster = {
  async make(group) {
    for (let i = 0; i < 6; i++) {
      const ports = { port: await freePort(), busPort: await freePort() };
      group.servers.push({ name: `node${i}`, ...ports, settings: settingsOf(group, ports) });
    }
    group.servers.forEach((server) => launch(group, server));
    for (const server of group.servers) {
      server.id = await until('a server answers', () => ask(group, server.port, ['CLUSTER', 'MYID']));
    }
    const [first] = group.servers;
    for (const [i, server] of group.servers.entries()) {
      await ask(group, server.port, ['CLUSTER', 'SET-CONFIG-EPOCH', i + 1]);
      if (i < 3) {
        await ask(group, server.port, ['CLUSTER', 'ADDSLOTSRANGE', Math.ceil(SLOTS * i / 3), Math.ceil(SLOTS * (i + 1) / 3) - 1]);
      }
      await ask(group, first.port, ['CLUSTER', 'MEET', '127.0.0.1', server.port, server.busPort]);
    }
    for (const [i, server] of group.servers.entries()) {
      if (i >= 3) await until('they have met', () => ask(group, server.port, ['CLUSTER', 'REPLICATE', group.servers[i - 3].id]));
    }
    await this.works(group);
    return `${group.ca ? 'rediss' : 'redis'}+cluster://${group.servers.slice(0, 3).map((server) => `127.0.0.1:${server.port}`).join(',')}`;
  },

  /** All that run agree, and each primary has its replica. */
  async works(group) {
    for (const server of group.servers.filter(running)) {
      await until('the cluster is whole', async () => {
        const nodes = await ask(group, server.port, ['CLUSTER', 'NODES']);
        const info = await ask(group, server.port, ['CLUSTER', 'INFO']);
        const ranges = await ask(group, server.port, ['CLUSTER', 'SLOTS']);
        const replication = await ask(group, server.port, ['INFO', 'replication']);
        return /cluster_state:ok/.test(info) && ranges.every((range) => range.length === 4) && nodes.split('\n').filter(Boolean).length === group.servers.length &&
          (/role:master/.test(replication) ? /connected_slaves:[1-9]/ : /master_link_status:up/).test(replication);
      });
    }
  },

  /** [primary, ...replicas] of a key or a slot, as somebody who runs says. */
  async shard(group, key) {
    const slot = typeof key === 'number' ? key : slotOf(key);
    return until('somebody tells who has the slot', async () => {
      for (const asked of group.servers.filter((server) => running(server) && !server.stopped)) {
        const ranges = await ask(group, asked.port, ['CLUSTER', 'SLOTS']).catch(() => []);
        const range = ranges.find(([first, last]) => first <= slot && slot <= last);
        if (range) return range.slice(2).map(([, port]) => group.servers.find((server) => server.port === port));
      }
      return null;
    });
  },

  async failover(group, key) {
    const [old, replica] = await this.shard(group, key);
    await ask(group, replica.port, ['CLUSTER', 'FAILOVER']);
    await until('the replica has taken over', async () => (await this.shard(group, key))[0] !== old);
  },

  async reshard(group, key) {
    if (key !== '*') return this.move(group, slotOf(key));
    const slots = new Set();
    for (const [, , [, port]] of await ask(group, group.servers.find(running).port, ['CLUSTER', 'SLOTS'])) {
      for (const stored of await ask(group, port, ['KEYS', '*'])) slots.add(slotOf(stored));
    }
    for (const slot of slots) await this.move(group, slot);
    group.told.push(`${slots.size} slots moved`);
  },

  /** A few keys at a time, between which the slot's keys are in two places. */
  async move(group, slot) {
    const [from] = await this.shard(group, slot);
    const to = await until('there is another primary', async () => {
      const ranges = await ask(group, from.port, ['CLUSTER', 'SLOTS']);
      const other = ranges.find(([, , [, port]]) => port !== from.port);
      return other && group.servers.find((server) => server.port === other[2][1]);
    });
    await ask(group, to.port, ['CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id]);
    await ask(group, from.port, ['CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id]);
    const auth = group.password ? ['AUTH', PASSWORD] : [];
    for (;;) {
      const keys = await ask(group, from.port, ['CLUSTER', 'GETKEYSINSLOT', slot, 5]);
      if (keys.length === 0) break;
      await ask(group, from.port, ['MIGRATE', '127.0.0.1', to.port, '', 0, 1000, 'REPLACE', ...auth, 'KEYS', ...keys]);
      await pause(10); // a while in which some are here and some are there
    }
    for (const server of [to, from]) await ask(group, server.port, ['CLUSTER', 'SETSLOT', slot, 'NODE', to.id]);
    await until('the others know', async () => (await this.shard(group, slot))[0] === to);
  },
};

// ---- sentinels ---------------------------------------------------------------------------------------------

const sentinel = {
  async make(group) {
    const master = { name: 'server0', port: await freePort() };
    const replica = { name: 'server1', port: await freePort() };
    master.settings = settingsOf(group, { port: master.port });
    replica.settings = settingsOf(group, { port: replica.port, master: master.port });
    group.servers.push(master, replica);
    group.servers.forEach((server) => launch(group, server));
    // Sentinels ask a master for its replicas when they begin, and then every 10 s.
    await until('the replica follows', async () => /master_link_status:up/.test(
      await ask(group, replica.port, ['INFO', 'replication'])));
    for (let i = 0; i < 3; i++) {
      const server = { name: `sentinel${i}`, port: await freePort(), sentinel: true };
      server.settings = [...portSettings(group, server.port), ['sentinel', 'monitor', NAME, '127.0.0.1', master.port, 2],
        ['sentinel', 'down-after-milliseconds', NAME, NODE_TIMEOUT_MS], ['sentinel', 'failover-timeout', NAME, 5000]];
      if (group.password) {
        server.settings.push(['requirepass', PASSWORD], ['sentinel', 'sentinel-pass', PASSWORD],
          ['sentinel', 'auth-pass', NAME, PASSWORD]);
      }
      group.servers.push(server);
    }
    const sentinels = group.servers.filter((server) => server.sentinel);
    sentinels.forEach((server) => launch(group, server));
    await this.works(group);
    return `${group.ca ? 'rediss' : 'redis'}+sentinel://${sentinels.map((server) => `127.0.0.1:${server.port}`).join(',')}/${NAME}`;
  },

  async works(group) {
    const others = group.servers.filter((server) => server.sentinel && running(server));
    for (const { port } of others) {
      await until('the sentinels know each other and the replica', async () => {
        const flat = await ask(group, port, ['SENTINEL', 'MASTER', NAME]);
        const value = (name) => flat[flat.indexOf(name) + 1];
        const replication = await ask(group, Number(value('port')), ['INFO', 'replication']);
        return value('flags') === 'master' && Number(value('num-other-sentinels')) === others.length - 1 &&
          Number(value('num-slaves')) > 0 && /role:master\r\nconnected_slaves:1/.test(replication);
      });
    }
  },

  async shard(group) {
    return until('a sentinel tells who is the master', async () => {
      for (const asked of group.servers.filter((server) => server.sentinel && running(server) && !server.stopped)) {
        const at = await ask(group, asked.port, ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME]).catch(() => null);
        const primary = at && group.servers.find((server) => server.port === Number(at[1]));
        if (primary) return [primary, ...group.servers.filter((server) => server !== primary && !server.sentinel)];
      }
      return null;
    });
  },

  async failover(group) {
    const [old] = await this.shard(group);
    const asked = group.servers.find((server) => server.sentinel && running(server) && !server.stopped);
    await until('the failover begins', () => ask(group, asked.port, ['SENTINEL', 'FAILOVER', NAME]));
    await until('the replica has taken over', async () => (await this.shard(group))[0] !== old);
  },

  reshard: () => Promise.reject(new Error('there are no slots')),
};

// ---- what is done to them ------------------------------------------------------------------------------------

function halt(server) {
  server.child.kill('SIGSTOP');
  server.stopped = true;
}

const actions = {
  async kill(group, key) {
    const [primary] = await group.kind.shard(group, key);
    await end(primary);
  },
  async stop(group, key) {
    const [primary] = await group.kind.shard(group, key);
    halt(primary);
  },
  async 'stop-replica'(group, key) {
    const [, ...replicas] = await group.kind.shard(group, key);
    replicas.forEach(halt);
  },
  async 'cut-replica'(group, key) {
    const [primary] = await group.kind.shard(group, key);
    await actions['stop-replica'](group, key);
    await ask(group, primary.port, ['CLIENT', 'KILL', 'TYPE', 'replica']);
  },
  async continue(group) {
    for (const server of group.servers.filter((one) => one.stopped)) {
      server.child.kill('SIGCONT');
      server.stopped = false;
    }
  },
  async revive(group) {
    group.servers.filter((server) => !running(server)).forEach((server) => launch(group, server));
  },
  failover: (group, key) => group.kind.failover(group, key),
  reshard: (group, key) => group.kind.reshard(group, key),
  async cut(group) {
    await Promise.all(group.servers.map(end));
  },
  async restart(group) {
    await actions.cut(group);
    group.servers.forEach((server) => launch(group, server));
    await group.kind.works(group);
  },
};

async function act(group, words) {
  const [name, ...key] = words.split(':');
  if (!actions[name]) throw new Error(`what is ${words}?`);
  const begin = performance.now();
  await actions[name](group, key.join(':'));
  group.done++;
  group.told.push(`${name} ${((begin - group.begin) / 1000).toFixed(1)}-${((performance.now() - group.begin) / 1000).toFixed(1)} s`);
}

// ---- the command line ------------------------------------------------------------------------------------------

function options(words) {
  const kinds = { cluster, sentinel };
  const given = { kind: kinds[words[0]], at: [], command: [] };
  if (!given.kind) throw new Error(`what is ${words[0]}?  See the head of this file`);
  for (let i = 1; i < words.length; i++) {
    if (words[i] === '--') given.command = words.slice(i + 1);
    if (words[i] === '--') break;
    if (words[i] === '--tls') given.tls = true;
    else if (words[i] === '--password') given.password = true;
    else if (words[i] === '--at') given.at.push([Number(words[++i]), words[++i]]);
    else throw new Error(`what is ${words[i]}?`);
  }
  if (given.command.length === 0) throw new Error('there is no command; see the head of this file');
  return given;
}

async function run(group, given) {
  if (given.tls) group.ca = certify(group.folder);
  const url = await given.kind.make(group);
  const [program, ...args] = given.command.map((word) => word.replaceAll('{url}', url)
    .replaceAll('{primary}', `redis://127.0.0.1:${group.servers[0].port}`).replaceAll('{folder}', group.folder));
  const env = { ...process.env, [CONTROL]: await control((what) => act(group, what)) };
  const child = spawn(program, args, { stdio: 'inherit', env });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  group.begin = performance.now();
  const failed = [];
  const timers = given.at.map(([seconds, words]) => setTimeout(() => {
    group.acting = Promise.resolve(group.acting).then(() => act(group, words)).catch((error) => failed.push(`${words}: ${error.message}`));
  }, seconds * 1000));
  const status = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? (signal ? 128 : 1)));
  });
  timers.forEach(clearTimeout);
  if (group.done < given.at.length) failed.push('the command ended before all was done to the servers');
  if (group.told.length > 0) console.log(`servers: ${group.told.join(', ')}`);
  failed.forEach((line) => console.error(`redis-group.js: ${line}`));
  return status || (failed.length > 0 ? 1 : 0);
}

async function main(words) {
  if (words[0] === '--tell') {
    await tell(process.env[CONTROL], words[1]);
    return 0;
  }
  const given = options(words);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-redis-'));
  const group = { kind: given.kind, folder, password: given.password, servers: [], told: [], done: 0, begin: performance.now() };
  process.on('exit', () => group.servers.forEach((server) => server.child && server.child.kill('SIGKILL')));
  try {
    return await run(group, given);
  } catch (error) {
    for (const server of group.servers) {
      const log = path.join(folder, server.name, 'log');
      if (fs.existsSync(log)) console.error(`${server.name}: ${fs.readFileSync(log, 'utf8').split('\n').slice(-5).join('\n    ')}`);
    }
    throw error;
  } finally {
    await Promise.all(group.servers.filter((server) => server.child).map(end));
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

main(process.argv.slice(2)).then((status) => process.exit(status), (error) => {
  console.error(`redis-group.js: ${error.message}`);
  process.exit(2);
});
