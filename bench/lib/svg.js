'use strict';
// What the plots of docs/images have in common: the page, its colours in light and dark, charts over time.

const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '../..');
const WIDTH = 760;
const LEFT = 56;
const RIGHT = 20;
const style = `
    .paper { fill: #ffffff; } text { fill: #1f2328; } .small { fill: #59636e; font-size: 12px; }
    .title { font-weight: 600; } .bar { fill: #8c959f; } .ours { fill: #d98e1f; }
    .grid { stroke: #d1d9e0; } .line { fill: none; stroke-width: 1.5; stroke-linejoin: round; }
    .strong { stroke: #d98e1f; } .middle { stroke: #0969da; } .weak { stroke: #8c959f; } .band { fill-opacity: 0.25; }
    @media (prefers-color-scheme: dark) {
      .paper { fill: #0d1117; } text { fill: #f0f6fc; } .small { fill: #9198a1; } .bar { fill: #656c76; } .ours { fill: #c98a2b; }
      .grid { stroke: #3d444d; } .middle { stroke: #4493f8; }
    }`;

const escape = (s) => s.replace(/&/g, '&amp;').replace(/</g, '&lt;');
const figure = (x) => (x >= 1000 ? Math.round(x).toLocaleString('en-US') : x >= 100 ? x.toFixed(0) : x.toFixed(1));

/** Writes docs/images/<file>. @param {string[]} parts  elements, one below the other */
function write(file, label, height, parts) {
  fs.writeFileSync(path.join(root, 'docs/images', file), `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escape(label)}" font-family="system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif" font-size="14">
  <style>${style}
  </style>
  <rect class="paper" width="${WIDTH}" height="${height}"/>
  ${parts.join('\n  ')}
</svg>
`);
}

/** 1, 2 or 5 times a power of ten, about a quarter of max. */
function tickStep(max) {
  const power = 10 ** Math.floor(Math.log10(max / 4));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => max / step <= 5);
}

/**
 * Lines over time.  Values of a line are { x, y }; a scale is linear from 0, or, with `log`, from 1 on in
 * powers of ten.  Bands are { from, to, colour, name }.
 */
function chart({ top, height, title, note, from = 0, to, log = false, bands = [], lines, max, unit = 's' }) {
  const highest = max ?? Math.max(1, ...lines.flatMap((l) => l.values.map((v) => v.y)));
  const decades = Math.max(1, Math.ceil(Math.log10(highest)));
  const bottom = top + 34 + height;
  const x = (t) => LEFT + ((t - from) / (to - from)) * (WIDTH - LEFT - RIGHT);
  const share = (y) => (log ? Math.log10(Math.max(1, y)) / decades : y / highest);
  const y = (value) => bottom - Math.min(1, share(value)) * height;
  const step = tickStep(highest);
  const ticks = log
    ? Array.from({ length: decades + 1 }, (_, i) => 10 ** i)
    : Array.from({ length: Math.floor(highest / step + 0.001) + 1 }, (_, i) => i * step);
  const xStep = tickStep(to - from);
  const out = [`<text class="title" x="20" y="${top + 16}">${escape(title)}</text>`,
    `<text class="small" x="${WIDTH - RIGHT}" y="${top + 16}" text-anchor="end">${escape(note)}</text>`];
  for (const band of bands) {
    out.push(`<rect class="band" fill="${band.colour}" x="${x(band.from).toFixed(1)}" y="${bottom - height}" width="${(x(band.to) - x(band.from)).toFixed(1)}" height="${height}"/>`);
    if (band.name) out.push(`<text class="small" x="${((x(band.from) + x(band.to)) / 2).toFixed(1)}" y="${bottom - height - 3}" text-anchor="middle">${band.name}</text>`);
  }
  for (const tick of ticks)
    out.push(`<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(tick).toFixed(1)}" y2="${y(tick).toFixed(1)}"/>`,
      `<text class="small" x="${LEFT - 6}" y="${(y(tick) + 4).toFixed(1)}" text-anchor="end">${Number(tick.toPrecision(6)).toLocaleString('en-US')}</text>`);
  for (let t = from; t <= to; t += xStep)
    out.push(`<text class="small" x="${x(t).toFixed(1)}" y="${bottom + 15}" text-anchor="middle">${Number((t - from).toPrecision(6))} ${unit}</text>`);
  for (const line of lines) {
    const points = line.values.map((v) => `${x(v.x).toFixed(1)},${y(v.y).toFixed(1)}`);
    out.push(`<polyline class="line ${line.look}" points="${points.join(' ')}"/>`);
  }
  return { svg: out.join('\n  '), bottom: bottom + 22 };
}

/** What the lines' looks mean, in one row. @param {{ look: string, name: string }[]} items */
function legend(top, items) {
  const out = [];
  let x = LEFT;
  for (const { look, name } of items) {
    out.push(`<line class="line ${look}" x1="${x}" x2="${x + 18}" y1="${top + 8}" y2="${top + 8}"/>`,
      `<text class="small" x="${x + 23}" y="${top + 12}">${escape(name)}</text>`);
    x += 40 + name.length * 6.6;
  }
  return { svg: out.join('\n  '), bottom: top + 22 };
}

/** Charts and legends, one below the other. */
class Page {
  constructor() {
    Object.assign(this, { parts: [], top: 8 });
  }
  #add({ svg, bottom }) {
    this.parts.push(svg);
    this.top = bottom + 8;
  }
  chart(options) {
    this.#add(chart({ top: this.top, ...options }));
  }
  legend(items) {
    this.#add(legend(this.top - 4, items));
  }
  write(file, label) {
    write(file, label, this.top, this.parts);
  }
}

module.exports = { WIDTH, escape, figure, write, Page };
