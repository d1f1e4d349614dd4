'use strict';
// nginx that answers from files, as fast as a server can be: so that what is measured is the client.

const fs = require('node:fs');
const path = require('node:path');
const { freePort, start: startServer } = require('./server.js');

const config = (dir, port, type, rules) => `
daemon off;
worker_processes 1;
pid ${dir}/nginx.pid;
error_log ${dir}/error.log warn;
events { worker_connections 256; }
http {
  access_log off;
  default_type ${type};
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
    ${rules}
  }
}
`;

/**
 * @param {string} dir  a folder of its own; dir/replies is what it serves
 * @param {{ type: string, rules: string }} options  the type of all answers; what the server block says besides
 * @returns {Promise<{ url: string, pid: number, stop: () => void }>}
 */
async function start(dir, { type, rules }) {
  // nginx gives up root by itself; its worker must reach what it serves.
  for (const folder of [path.dirname(dir), dir]) fs.chmodSync(folder, 0o755);
  const port = await freePort();
  const file = path.join(dir, 'nginx.conf');
  fs.writeFileSync(file, config(dir, port, type, rules));
  const { pid, stop } = await startServer('/usr/sbin/nginx', ['-c', file, '-e', path.join(dir, 'error.log')], {
    dir, where: { port, host: '127.0.0.1' },
  });
  return { url: `http://127.0.0.1:${port}`, pid, stop };
}

module.exports = { start };
