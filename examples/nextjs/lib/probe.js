import { headersOf, lotOf, stampOf, verdict } from './read.js';
import { BITS, HEIGHT, STRIP, WIDTH } from './picture-size.js';

/** Asks this server for an entry, as a new visitor would, and reads what came. */
export async function ask(kind, path) {
  const began = performance.now();
  const response = await fetch(path, { cache: 'no-store', headers: kind.entry === 'IMAGE' ? { accept: 'image/webp' } : {} });
  const headers = headersOf(response);
  const seen = kind.entry === 'IMAGE' ? await picture(response, headers.etag) : { stamp: await stampOf(response) };
  const answer = { ...headers, ...seen, ms: performance.now() - began, when: Date.now() };
  return { ...answer, verdict: verdict(answer) };
}

/** A picture has no attribute to read: its time is in its pixels. */
async function picture(response, etag) {
  const blob = await response.blob();
  const bitmap = await createImageBitmap(blob);
  const canvas = new OffscreenCanvas(WIDTH, HEIGHT);
  const context = canvas.getContext('2d');
  context.drawImage(bitmap, 0, 0, WIDTH, HEIGHT);
  const { data } = context.getImageData(0, HEIGHT - Math.round(STRIP / 2), WIDTH, 1);
  let seconds = 0;
  for (let bit = 0; bit < BITS; bit++) {
    const middle = Math.floor(((bit + 0.5) * WIDTH) / BITS) * 4;
    seconds = seconds * 2 + (data[middle] > 128 ? 1 : 0);
  }
  return { stamp: { lot: lotOf(etag), at: seconds * 1000 }, url: URL.createObjectURL(blob) };
}

/** Presses a button of a kind. */
export async function press({ to, body }) {
  const response = await fetch(to, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${to} answered ${response.status}`);
}

/** What the other servers of the demo have under the same path, and who this server is. */
export async function askPeers(path) {
  const response = await fetch(`/api/peers?ask=${encodeURIComponent(path)}`, { cache: 'no-store' });
  return response.json();
}
