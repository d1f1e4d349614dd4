'use strict';
/*
 * `larder seed` and `larder prune` on a build output that is made here: entries per second, CPU and the peak
 * of memory, beside `cp -r` of the same files.
 *
 *     node bench/seed/run.js [--entries N] [--cache URL]
 *
 * BENCH_LARDER: the program.  BENCH_DIR: where the output and, without --cache, the store lie.  BENCH_OUT: a
 * file for the result.
 */
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawn } = require('node:child_process');

const PAGE_BYTES = 3000;
const RSC_BYTES = 1000;
const POLL_MS = 10;

function options(argv) {
  const out = { entries: 100_000, cache: '' };
  for (let i = 0; i < argv.length; i += 2) {
    if (argv[i] === '--entries') out.entries = Number(argv[i + 1]);
    else if (argv[i] === '--cache') out.cache = argv[i + 1];
    else throw new Error(`what is ${argv[i]}?`);
  }
  if (!(out.entries > 0)) throw new Error('--entries takes a number');
  return out;
}

/** Text that compresses as HTML does, another for each page. */
function text(bytes, i) {
  const line = `<li class="item-${i}"><a href="/blog/${i}">${(i * 2654435761) % 4294967296}</a></li>\n`;
  return line.repeat(Math.ceil(bytes / line.length)).slice(0, bytes);
}

/** A build of Next.js 16 with so many pages. */
function build(dir, id, entries) {
  const app = path.join(dir, 'server/app/blog');
  const routes = {};
  fs.mkdirSync(app, { recursive: true });
  fs.mkdirSync(path.join(dir, 'diagnostics'));
  for (let i = 0; i < entries; i++) {
    const base = path.join(app, String(i));
    const key = `/route-cache/APP_PAGE/${'a'.repeat(64)}/$/blog/${i}`;
    fs.writeFileSync(`${base}.html`, text(PAGE_BYTES, i));
    fs.writeFileSync(`${base}.rsc`, text(RSC_BYTES, i));
    fs.writeFileSync(
      `${base}.meta`,
      JSON.stringify({
        headers: { 'x-next-cache-tags': `_N_T_/layout,_N_T_/blog/layout,_N_T_/blog/[id]/page,_N_T_/blog/${i},posts` },
        status: 200,
        routeCache: { key, owner: { kind: 'APP_PAGE', sourceRoute: '/blog/[id]/page' }, isFallback: false },
      }),
    );
    routes[`/blog/${i}`] = {
      routeType: 'page',
      initialRevalidateSeconds: 600,
      initialExpireSeconds: 31536000,
      srcRoute: '/blog/[id]',
      dataRoute: `/blog/${i}.rsc`,
      allowHeader: ['host', 'x-matched-path', 'x-prerender-revalidate', 'x-prerender-revalidate-if-generated'],
    };
  }
  fs.writeFileSync(path.join(dir, 'prerender-manifest.json'), JSON.stringify({ version: 4, routes, dynamicRoutes: {} }));
  fs.writeFileSync(path.join(dir, 'diagnostics/framework.json'), '{"name":"Next.js","version":"16.4.6"}');
  fs.writeFileSync(path.join(dir, 'BUILD_ID'), id);
}

const TICKS_A_SECOND = 100; // USER_HZ, which Linux shows to programs whatever the kernel's own is

/** What /proc says of a process while it runs: its peak is the last that is seen. */
function look(pid, seen) {
  try {
    const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
    const kb = Number(status.match(/^VmHWM:\s+(\d+)/m)?.[1] ?? 0);
    const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    seen.peakMb = Math.max(seen.peakMb, kb / 1024);
    seen.cpuSeconds = (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
  } catch {}
}

/** Runs it to its end: { seconds, cpuSeconds, peakMb, output }. */
function measure(command, args, cwd) {
  return new Promise((resolve, reject) => {
    const begin = process.hrtime.bigint();
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
    const seen = { peakMb: 0, cpuSeconds: 0 };
    const timer = setInterval(() => look(child.pid, seen), POLL_MS);
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.once('error', reject);
    child.once('close', (code) => {
      clearInterval(timer);
      const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
      if (code !== 0) reject(new Error(`${command} ${args.join(' ')} ended with ${code}: ${output}`));
      else resolve({ seconds, ...seen, output });
    });
  });
}

const number = (x) => Math.round(x).toLocaleString('en-US');

async function main() {
  const { entries, cache } = options(process.argv.slice(2));
  const larder = process.env.BENCH_LARDER;
  if (!larder) throw new Error('BENCH_LARDER names the program');
  const load = os.loadavg()[0];
  const scratch = fs.mkdtempSync(path.join(process.env.BENCH_DIR || os.tmpdir(), 'larder-bench-seed-'));
  const at = ['--cache', cache || `fs:${scratch}/store?max-size=0`];
  const rows = [];
  const row = async (what, n, command, args) => {
    const { output, ...figures } = await measure(command, args, scratch);
    rows.push({ what, entries: n, ...figures });
    console.log(
      `${what.padEnd(28)} ${number(n / figures.seconds).padStart(9)} entries/s  ${figures.seconds.toFixed(1).padStart(6)} s  ` +
        `${((figures.cpuSeconds / n) * 1e6).toFixed(1).padStart(7)} us CPU each  ${figures.peakMb.toFixed(1).padStart(6)} MB at most`,
    );
    return output;
  };
  try {
    await measure(larder, ['seed', '--begin', '--build', 'new', ...at], scratch);
    build(path.join(scratch, 'new'), 'new', 0);
    const old = path.join(scratch, 'old');
    await measure(larder, ['seed', '--begin', '--build', 'old', ...at], scratch);
    build(old, 'old', entries);
    console.log(`${number(entries)} pages of ${PAGE_BYTES} + ${RSC_BYTES} bytes, in ${at[1]}; load ${load.toFixed(1)}`);
    await row('cp -r of the pages', entries, 'cp', ['-r', path.join(old, 'server'), path.join(scratch, 'copy')]);
    const first = JSON.parse(await row('seed', entries, larder, ['seed', '--build', 'old', '--json', ...at]));
    const again = JSON.parse(await row('seed, all is there', entries, larder, ['seed', '--build', 'old', '--json', ...at]));
    await measure(larder, ['seed', '--build', 'new', ...at], scratch);
    const kept = JSON.parse(await row('prune, nothing to remove', entries, larder, ['prune', '--json', ...at]));
    await row('prune --tag, reads all', entries, larder, ['prune', '--tag', 'nothing', '--json', ...at]);
    const pruned = JSON.parse(await row('prune --keep 0', entries, larder, ['prune', '--keep', '0', '--json', ...at]));
    const told = { seeded: first.seeded, present: again.present, kept: kept.removed, removed: pruned.removed };
    if (told.seeded !== entries || told.present !== entries || told.kept !== 0 || told.removed !== entries)
      throw new Error(`that is not what was to be done: ${JSON.stringify(told)}`);
    const machine = {
      cpu: os.cpus()[0].model.replace(/\s+\d+-Core Processor.*|\s+Processor.*/, ''),
      cores: os.cpus().length,
      memoryGb: Math.round(os.totalmem() / 2 ** 30),
      kernel: os.release(),
      node: process.version,
      load,
    };
    if (process.env.BENCH_OUT) {
      fs.writeFileSync(
        process.env.BENCH_OUT,
        `${JSON.stringify({ machine, entries, bytes: PAGE_BYTES + RSC_BYTES, rows }, null, 1)}\n`,
      );
    }
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

main().catch((error) => {
  console.error(`bench/seed: ${error.message}`);
  process.exitCode = 1;
});
