'use strict';
// dynalite, a DynamoDB in memory, behind a door that notes who came: what was asked and answered, and how
// many requests had to wait for one another.

const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');

const dynalite = require(path.join(process.env.BENCH_DYNALITE, 'dynalite'));

function listen(server) {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    http.Server.prototype.listen.call(server, 0, '127.0.0.1', () => resolve(server.address().port));
  });
}

async function read(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

const agent = new http.Agent({ keepAlive: true });

function ask(port, { method, headers }, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ agent, port, host: '127.0.0.1', method, headers }, (answer) => {
      read(answer).then((bytes) => resolve({ status: answer.statusCode, type: answer.headers['content-type'], bytes }), reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** The longest chain of requests of which each came after the one before was answered. */
function sequential(requests) {
  let chain = 0;
  let answered = -1;
  for (const { begin, end } of [...requests].sort((a, b) => a.end - b.end)) {
    if (begin < answered) continue;
    chain++;
    answered = end;
  }
  return chain;
}

/** A reply's file, where the stub looks for it: whoever asks names himself in the path. */
const fileOf = (dir, { url, headers }) => path.join(dir, url.split('/')[1], headers['x-amz-target'], headers['content-length']);

class Server {
  #requests = [];
  #dir;

  /** @returns {Promise<Server>} */
  static async start() {
    const server = new Server();
    const behind = await listen(dynalite({ createTableMs: 20, updateTableMs: 0, deleteTableMs: 0 }));
    const door = http.createServer(async (request, response) => {
      try {
        const times = { begin: performance.now(), end: Infinity };
        server.#requests.push(times);
        const body = await read(request);
        const answer = await ask(behind, request, body);
        if (server.#dir && answer.status === 200) {
          const file = fileOf(server.#dir, request);
          fs.mkdirSync(path.dirname(file), { recursive: true });
          fs.writeFileSync(file, answer.bytes);
        }
        times.end = performance.now();
        response.writeHead(answer.status, { 'content-type': answer.type, 'content-length': answer.bytes.length });
        response.end(answer.bytes);
      } catch {
        request.socket.destroy();
      }
    });
    server.url = `http://127.0.0.1:${await listen(door)}`;
    return server;
  }

  /** From now on all answers are kept in dir, for the stub; null: no more. */
  record(dir) {
    this.#dir = dir;
  }

  /** What was asked since the last time. */
  told() {
    const requests = this.#requests;
    this.#requests = [];
    return { requests: requests.length, sequential: sequential(requests) };
  }
}

module.exports = { Server };
