'use strict';
/*
 * An object store for tests: Ceph with one monitor, one OSD that keeps all in memory, and a gateway for
 * S3, on free ports of 127.0.0.1, with its files in a temporary folder.  The programs are Debian's
 * (radosgw, ceph-mon, ceph-osd, ceph-common); nothing of the system's own configuration is read.
 */
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { spawn, execFile } = require('node:child_process');
const { promisify } = require('node:util');

const runFile = promisify(execFile);
const LONGEST_MS = 90000; // for anything to begin

/** `n` ports that are free now, the last of them with room above for the OSD, which looks for its own. */
async function freePorts(n) {
  const servers = [];
  for (let i = 0; i < n; i++) {
    const server = net.createServer();
    await new Promise((resolve, reject) => { server.once('error', reject).listen(0, '127.0.0.1', resolve); });
    servers.push(server);
  }
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => { server.close(resolve); })));
  return ports;
}

const configuration = ({ folder, fsid, ports: [gateway, v2, v1, osd] }) => `[global]
fsid = ${fsid}
mon_host = [v2:127.0.0.1:${v2}/0,v1:127.0.0.1:${v1}/0]
mon_initial_members = a
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
# Without signatures of its own between the daemons, which would cost more than what they carry.
ms_mon_client_mode = crc
ms_mon_service_mode = crc
ms_mon_cluster_mode = crc
ms_client_mode = crc
ms_service_mode = crc
ms_cluster_mode = crc
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_port_min = ${osd}
ms_bind_port_max = ${Math.min(osd + 200, 65535)}
run_dir = ${folder}/run
admin_socket = ${folder}/run/$name.asok
log_file = ${folder}/log/$name.log
pid_file = ${folder}/run/$name.pid
crash_dir = ${folder}/run
log_max_recent = 100
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 5000
mon_data = ${folder}/mon
mon_data_avail_warn = 1
mon_data_avail_crit = 1
osd_data = ${folder}/osd
osd_objectstore = memstore
memstore_device_bytes = 2147483648
osd_memory_target = 512M
osd_op_num_shards = 2
osd_op_num_threads_per_shard = 1
osd_class_load_list = *
osd_class_default_list = *
rgw_data = ${folder}/rgw

[client.rgw]
# Without tcp_nodelay each small answer waits 40 ms for an acknowledgement.
rgw_frontends = beast endpoint=127.0.0.1:${gateway} tcp_nodelay=1
rgw_dns_name = s3.localhost
rgw_thread_pool_size = 64
rgw_rados_pool_pg_num_min = 1
rgw_enable_usage_log = false
rgw_enable_apis = s3, admin
rgw_run_sync_thread = false
# 16.2.15 deletes many objects of one request at once, and crashes when two of them meet.
rgw_multi_obj_del_max_aio = 1
debug_rgw = 0
`;

function answers(port) {
  return new Promise((resolve) => {
    const request = http.get({ host: '127.0.0.1', port, timeout: 2000 }, (answer) => {
      answer.resume();
      resolve(true);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });
}

const ended = (child) => new Promise((resolve) => {
  if (child.exitCode !== null || child.signalCode !== null) resolve();
  else child.once('exit', resolve);
});

/** {port, cut, restart, stop}: `cut` kills the gateway, and what it has acknowledged stays. */
async function start(keys) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-ceph-'));
  const file = path.join(folder, 'ceph.conf');
  const fsid = require('node:crypto').randomUUID();
  const ports = await freePorts(4);
  const daemons = {};
  for (const name of ['mon', 'osd', 'rgw', 'run', 'log']) fs.mkdirSync(path.join(folder, name));
  fs.writeFileSync(file, configuration({ folder, fsid, ports }));
  const env = { ...process.env, CEPH_CONF: file, CEPH_ARGS: `-c ${file}` };
  const tool = (program, ...args) => runFile(program, args, { env, timeout: LONGEST_MS });

  function daemon(name, program, ...args) {
    const log = fs.openSync(path.join(folder, 'log', `${name}.out`), 'a');
    daemons[name] = spawn(program, ['-c', file, ...args, '-f'], { env, stdio: ['ignore', log, log] });
    fs.closeSync(log);
    daemons[name].on('error', () => {});
  }
  async function gateway() {
    const until = performance.now() + LONGEST_MS;
    daemon('rgw', 'radosgw', '-n', 'client.rgw');
    while (!await answers(ports[0])) {
      const dead = Object.keys(daemons).find((name) => daemons[name].pid === undefined || daemons[name].exitCode !== null);
      if (dead || performance.now() > until) {
        const told = fs.readFileSync(path.join(folder, 'log', `${dead || 'rgw'}.out`), 'utf8').slice(-2000);
        throw new Error(`Ceph does not begin (${dead || 'no answer'}): ${told}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  async function stop() {
    for (const name of ['rgw', 'osd', 'mon']) {
      if (!daemons[name] || daemons[name].pid === undefined) continue;
      daemons[name].kill('SIGKILL'); // there is nothing to be kept
      await ended(daemons[name]);
    }
    fs.rmSync(folder, { recursive: true, force: true });
  }
  async function cut() {
    daemons.rgw.kill('SIGKILL');
    await ended(daemons.rgw);
  }
  async function restart() {
    await cut();
    await gateway();
  }

  try {
    await tool('monmaptool', '--create', '--clobber', '--fsid', fsid, '--addv', 'a',
      `[v2:127.0.0.1:${ports[1]},v1:127.0.0.1:${ports[2]}]`, path.join(folder, 'monmap'));
    await tool('ceph-mon', '-c', file, '--mkfs', '-i', 'a', '--monmap', path.join(folder, 'monmap'));
    daemon('mon', 'ceph-mon', '-i', 'a');
    const osd = require('node:crypto').randomUUID();
    await tool('ceph', '-c', file, '--connect-timeout', '30', 'osd', 'new', osd);
    await tool('ceph-osd', '-c', file, '-i', '0', '--mkfs', '--osd-uuid', osd);
    daemon('osd', 'ceph-osd', '-i', '0');
    await gateway();
    for (const [id, { secret }] of Object.entries(keys))
      await tool('radosgw-admin', '-c', file, '-n', 'client.rgw', 'user', 'create', '--uid', id.toLowerCase(),
        '--display-name', id, '--access-key', id, '--secret', secret);
  } catch (error) {
    await stop();
    throw error;
  }
  return { port: ports[0], cut, restart, stop };
}

module.exports = { start };
