import { deflateSync } from 'node:zlib';
import { BITS, HEIGHT, STRIP, WIDTH } from './picture-size.js';

/*
 * A picture that shows when it was drawn: jars on a shelf, the time in seven-segment digits, and
 * the same time as a strip of light and dark blocks that the page reads back from the pixels of
 * the cached copy.  Shapes are signed distances, so that edges are smooth without a library.
 */

const SEGMENTS = ['abcdef', 'bc', 'abged', 'abgcd', 'fgbc', 'afgcd', 'afgedc', 'abc', 'abcdefg', 'abfgcd'];
const mix = (a, b, t) => a + (b - a) * t;
const clamp = (x) => Math.min(1, Math.max(0, x));

/** Signed distance to a box of half size (w, h) at (x, y) with corners of radius r. */
function box(px, py, x, y, w, h, r) {
  const dx = Math.abs(px - x) - w + r;
  const dy = Math.abs(py - y) - h + r;
  return Math.hypot(Math.max(dx, 0), Math.max(dy, 0)) + Math.min(Math.max(dx, dy), 0) - r;
}

function paint(pixels, color, opacity, left, top, right, bottom, distance) {
  for (let y = Math.max(0, top); y < Math.min(HEIGHT, bottom); y++) {
    for (let x = Math.max(0, left); x < Math.min(WIDTH, right); x++) {
      const cover = clamp(0.5 - distance(x + 0.5, y + 0.5)) * opacity;
      if (cover === 0) continue;
      const at = y * (1 + WIDTH * 3) + 1 + x * 3;
      for (let c = 0; c < 3; c++) pixels[at + c] = Math.round(mix(pixels[at + c], color[c], cover));
    }
  }
}

function rounded(pixels, color, opacity, x, y, w, h, r) {
  paint(pixels, color, opacity, Math.floor(x - w - 1), Math.floor(y - h - 1), Math.ceil(x + w + 1), Math.ceil(y + h + 1),
    (px, py) => box(px, py, x, y, w, h, r));
}

function jar(pixels, x, base, size, color) {
  const w = 62 * size;
  const h = 86 * size;
  rounded(pixels, [20, 16, 14], 0.18, x + 6, base - 4, w, 8, 8);                      // shadow
  rounded(pixels, color, 1, x, base - h, w, h, 22 * size);                            // what is in it
  rounded(pixels, color.map((c) => mix(c, 255, 0.28)), 0.5, x - w * 0.62, base - h, 6 * size, h * 0.68, 6 * size);
  rounded(pixels, [246, 241, 230], 0.94, x, base - h * 0.82, w * 0.66, h * 0.3, 5 * size);   // label
  rounded(pixels, color, 0.75, x, base - h * 0.9, w * 0.44, 3 * size, 3 * size);
  rounded(pixels, color, 0.4, x, base - h * 0.74, w * 0.3, 3 * size, 3 * size);
  rounded(pixels, [233, 226, 209], 1, x, base - 2 * h - 6 * size, w * 0.82, 13 * size, 5 * size); // lid
  rounded(pixels, [205, 195, 172], 1, x, base - 2 * h + 4 * size, w * 0.82, 3 * size, 2 * size);
}

function digits(pixels, text, x, y, color) {
  const [w, h, t] = [15, 20, 4];
  for (const character of text) {
    if (character === ':') {
      rounded(pixels, color, 1, x + 4, y - 10, t, t, t);
      rounded(pixels, color, 1, x + 4, y + 10, t, t, t);
      x += 26;
      continue;
    }
    const on = SEGMENTS[Number(character)];
    const bars = { a: [0, -2 * h, w, t], g: [0, 0, w, t], d: [0, 2 * h, w, t], f: [-w, -h, t, h], b: [w, -h, t, h],
      e: [-w, h, t, h], c: [w, h, t, h] };
    for (const name of on) {
      const [bx, by, bw, bh] = bars[name];
      rounded(pixels, color, 1, x + w + bx, y + by, bw, bh, t);
    }
    x += 3 * w + 10;
  }
}

/** CRC-32 as PNG has it (zlib.crc32 is younger than the oldest Node.js that Next.js 16 runs on). */
function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

function chunk(type, body) {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), body]);
  const length = Buffer.alloc(4);
  const crc = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  crc.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, crc]);
}

/** A PNG that says it was drawn at `now` (ms since 1970). */
export function drawPicture(now) {
  const pixels = Buffer.alloc(HEIGHT * (1 + WIDTH * 3));
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const light = clamp(1.15 - Math.hypot(x - 300, y - 120) / 900);
      const at = y * (1 + WIDTH * 3) + 1 + x * 3;
      pixels[at] = mix(28, 88, light);
      pixels[at + 1] = mix(38, 112, light);
      pixels[at + 2] = mix(36, 98, light);
    }
  }
  const base = HEIGHT - STRIP - 62;
  rounded(pixels, [12, 18, 16], 0.35, WIDTH / 2, base + 34, WIDTH, 14, 0);
  rounded(pixels, [150, 113, 74], 1, WIDTH / 2, base + 14, WIDTH, 14, 0);
  rounded(pixels, [186, 146, 100], 1, WIDTH / 2, base + 3, WIDTH, 3, 0);
  jar(pixels, 130, base, 1.25, [122, 52, 98]);
  jar(pixels, 318, base, 1.05, [222, 142, 54]);
  jar(pixels, 482, base, 0.85, [178, 48, 74]);
  const time = new Date(now).toTimeString().slice(0, 8);
  rounded(pixels, [14, 20, 18], 0.55, 724, 176, 206, 74, 16);
  digits(pixels, time, 724 - 181, 176, [240, 226, 190]);
  const seconds = Math.floor(now / 1000);
  for (let bit = 0; bit < BITS; bit++) {
    const w = WIDTH / BITS / 2;
    const color = (seconds >>> (BITS - 1 - bit)) & 1 ? [243, 236, 220] : [24, 30, 28];
    rounded(pixels, color, 1, (2 * bit + 1) * w, HEIGHT - STRIP / 2, w, STRIP / 2, 0);
  }
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0]);                 // 8 bits, RGB
  header.writeUInt32BE(WIDTH, 0);
  header.writeUInt32BE(HEIGHT, 4);
  return Buffer.concat([
    Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(pixels, { level: 3 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}
