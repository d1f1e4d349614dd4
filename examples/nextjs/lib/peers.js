/** The servers of the demo (EXAMPLE_PEERS: "A=http://127.0.0.1:3000 B=http://...") but this one. */
export function peers() {
  const all = (process.env.EXAMPLE_PEERS ?? '').split(' ').filter(Boolean);
  return all.map((one) => one.split('=')).filter(([name]) => name !== process.env.EXAMPLE_SERVER);
}

/** Who this is. */
export const here = () => ({ name: process.env.EXAMPLE_SERVER ?? 'server', pid: process.pid });
