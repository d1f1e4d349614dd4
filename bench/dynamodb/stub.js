'use strict';
// nginx that repeats what dynalite has answered: as fast as a server can be, so that what is measured is
// the client.  It tells requests apart by who asks (the path of the URL), their operation, and the length of
// their bodies.

const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { spawn } = require('node:child_process');

const TABLE = 'larder';

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer().once('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/* A POST to a file is refused with 405, which is then answered by the file.  What is put differs in length
 * from time to time, and its answer does not. */
const config = (dir, port) => `
daemon off;
worker_processes 1;
pid ${dir}/nginx.pid;
error_log ${dir}/error.log warn;
events { worker_connections 256; }
http {
  access_log off;
  default_type application/x-amz-json-1.0;
  types { }
  server_tokens off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  keepalive_timeout 300s;
  client_max_body_size 32m;
  client_body_buffer_size 512k;
  open_file_cache max=1000 inactive=600s;
  open_file_cache_valid 600s;
  client_body_temp_path ${dir}/body;
  proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi;
  scgi_temp_path ${dir}/scgi;
  server {
    listen 127.0.0.1:${port};
    root ${dir}/replies;
    error_page 405 =200 $uri;
    rewrite ^/(larder|sdk)/?$ /$1/$http_x_amz_target/$content_length last;
    location ~ PutItem/ { return 200 '{}'; }
    location / { }
  }
}
`;

async function answers(port, child, dir) {
  for (let i = 0; i < 200; i++) {
    if (child.exitCode !== null) throw new Error(`nginx: ${fs.readFileSync(`${dir}/stderr`, 'utf8')}`);
    const open = await new Promise((resolve) => {
      const socket = net.connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('nginx does not answer');
}

/** dir/replies: what a Server has recorded.  @returns {Promise<{ url: string, pid: number, stop: () => void }>} */
async function start(dir) {
  // nginx gives up root by itself; its worker must reach what it serves.
  for (const folder of [path.dirname(dir), dir]) fs.chmodSync(folder, 0o755);
  const port = await freePort();
  const file = path.join(dir, 'nginx.conf');
  fs.writeFileSync(file, config(dir, port));
  const child = spawn('/usr/sbin/nginx', ['-c', file, '-e', path.join(dir, 'error.log')], {
    stdio: ['ignore', 'ignore', fs.openSync(path.join(dir, 'stderr'), 'w')],
  });
  const stop = () => child.kill('SIGTERM');
  process.on('exit', stop);
  await answers(port, child, dir);
  return { url: `http://127.0.0.1:${port}`, pid: child.pid, stop };
}

module.exports = { TABLE, start };
