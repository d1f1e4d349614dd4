// The changing data: the test runner's own server.  What it answers for a key changes with each
// call of /bump, so pages tell which data they were built from.
const url = (key) => `${process.env.ORIGIN}/data/${key}`;

export async function data(key, options) {
  const response = await fetch(url(key), options);
  if (!response.ok) throw new Error(`the origin answered ${response.status}`);
  return response.json();
}

// Not cached by Next.js in any version.
export async function uncached(key) {
  return data(key, { cache: 'no-store' });
}

export const serial = () => Math.random().toString(36).slice(2);
