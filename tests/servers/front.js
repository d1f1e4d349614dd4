'use strict';
/*
 * What the servers of this folder have in common: a front that stands between a command and a server and
 * makes things go wrong, a way to tell the server from within the command, and running that command.
 */
const http = require('node:http');
const { spawn } = require('node:child_process');
const { verify } = require('../../drivers/aws/test/verify');

// ---- bytes -------------------------------------------------------------------------------------------

async function read(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

function listen(server, port = 0) {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    http.Server.prototype.listen.call(server, port, '127.0.0.1', () => resolve(server.address().port));
  });
}

const agent = new http.Agent({ keepAlive: true });

/** One request to the server behind, as it came but for its body: {status, headers, body}. */
function ask(port, { method, url, headers }, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ agent, port, host: '127.0.0.1', method, path: url,
      headers: { ...headers, 'content-length': Buffer.byteLength(body) } }, async (answer) => {
      try {
        const { connection, 'keep-alive': _, 'transfer-encoding': __, ...rest } = answer.headers;
        resolve({ status: answer.statusCode, headers: rest, body: await read(answer) });
      } catch (error) {
        reject(error);
      }
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** splitmix32, so that --seed makes the same choices for the same requests. */
function randomness(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) % below;
  };
}

// ---- what goes wrong ---------------------------------------------------------------------------------

const reset = ({ request }) => request.socket.resetAndDestroy();

/** Sends an answer of the server behind.  One to HEAD tells a length and has no body. */
function pass({ request, response }, answer) {
  const length = request.method === 'HEAD' ? {} : { 'content-length': answer.body.length };
  response.writeHead(answer.status, { ...answer.headers, ...length });
  response.end(answer.body);
}

/** Whatever the server is.  Each gets {request, response, body, random, ask}; ask(body) resolves to its answer. */
const faults = {
  reset,
  async lostReply(it) {
    await it.ask(it.body);
    reset(it);
  },
  async truncated(it) {
    const answer = await it.ask(it.body);
    it.response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length + 10 });
    it.response.write(answer.body.length > 0 ? answer.body : ' ', () => it.request.socket.destroy());
  },
  async dripped(it) {
    const answer = await it.ask(it.body);
    if (it.request.method === 'HEAD' || answer.body.length === 0) {
      pass(it, answer);
      return;
    }
    it.response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length });
    for (let at = 0; at < answer.body.length; at += 1 + (answer.body.length >> 3)) {
      it.response.write(answer.body.subarray(at, at + 1 + (answer.body.length >> 3)));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    it.response.end();
  },
  page({ response }) {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end('<html>The network wants you to log in.</html>');
  },
  silent() {}, // until the deadline of whoever asked
};

/**
 * A server between the command and the one at `port`.  `own` is what is particular to that: {faults,
 * refuse(status, code)(it), spared(request), answer(it)}: faults besides those above, an error, the requests
 * that nothing happens to, and what it answers in the other's place, if anything.  What was done is counted in `told`.
 */
function front({ port, permille, seconds, random, keys, told, own }) {
  const all = { ...own.faults, ...faults };
  const names = Object.keys(all);
  const until = performance.now() + seconds * 1000;
  return http.createServer(async (request, response) => {
    try {
      const body = await read(request);
      const it = { request, response, body, random, ask: (changed) => ask(port, request, changed) };
      const verdict = keys ? verify(request, body, (id) => keys[id], Date.now()) : { status: 200 };
      told.requests++;
      if (verdict.status !== 200) {
        told.badSignatures++;
        const [, code] = /<Code>(.*?)<\/Code>/.exec(verdict.body);
        own.refuse(verdict.status, code)(it);
        return;
      }
      if (random(1000) < permille && performance.now() < until && !own.spared(request)) {
        const name = names[random(names.length)];
        told[name] = (told[name] || 0) + 1;
        await all[name](it, all);
        return;
      }
      if (own.answer && own.answer(it, told)) return;
      pass(it, await it.ask(body));
    } catch {
      request.socket.destroy(); // whoever asked has gone, or the server has
    }
  });
}

// ---- the command -----------------------------------------------------------------------------------------

/** A server that does act(what) when it is told `what`, and answers when that is done; its URL. */
async function control(act) {
  const port = await listen(http.createServer(async (request, response) => {
    try {
      await act(decodeURIComponent(request.url.slice(1)));
      response.end();
    } catch (error) {
      response.writeHead(500);
      response.end(String(error));
    }
  }));
  return `http://127.0.0.1:${port}`;
}

/** From within the command: `what` is done when this is over. */
async function tell(url, what) {
  const response = await fetch(`${url}/${encodeURIComponent(what)}`);
  if (!response.ok) throw new Error(await response.text());
}

/** Runs [program, ...args] with what stands for `values` in them, and resolves to its exit status. */
function run(command, values, env) {
  const words = command.map((word) => Object.entries(values)
    .reduce((text, [name, value]) => text.replaceAll(name, value), word));
  const child = spawn(words[0], words.slice(1), { stdio: 'inherit', env: { ...process.env, ...env } });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? (signal ? 128 : 1)));
  });
}

/** What stands before `--`, by `known`: {'--faults': (value) => ...}; a function of no arguments takes no value. */
function options(words, known) {
  for (let i = 0; i < words.length; i++) {
    if (words[i] === '--') return words.slice(i + 1);
    const take = known[words[i]];
    if (!take) throw new Error(`what is ${words[i]}?`);
    if (take.length === 0) take();
    else take(words[++i]);
  }
  throw new Error('there is no command; see the head of this file');
}

/** Ends the process as `main` resolves. */
function end(name, main) {
  main(process.argv.slice(2)).then((status) => process.exit(status), (error) => {
    console.error(`${name}: ${error.message}`);
    process.exit(2);
  });
}

module.exports = { listen, randomness, faults, pass, front, control, tell, run, options, end };
