'use strict';
// Plots of bars: docs/images/bench-*.svg.

const { WIDTH, escape, figure, write } = require('./svg.js');

const LABEL = 210;
const ROW = 24;

/** Bars on a linear scale from 0, each with its figure. */
function panel(top, { title, note, bars }) {
  const max = Math.max(...bars.map((b) => b.value));
  const lines = [`<text class="title" x="20" y="${top + 18}">${escape(title)}</text>`,
    `<text class="small" x="${WIDTH - 20}" y="${top + 18}" text-anchor="end">${escape(note)}</text>`];
  bars.forEach(({ name, value }, i) => {
    const y = top + 32 + i * ROW;
    const width = Math.max(1, (value / max) * (WIDTH - LABEL - 110));
    lines.push(`<text class="small" x="${LABEL}" y="${y + 13}" text-anchor="end">${escape(name)}</text>`,
      `<rect class="${name.startsWith('larder') ? 'ours' : 'bar'}" x="${LABEL + 10}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 6}" rx="2"/>`,
      `<text class="small" x="${(LABEL + 16 + width).toFixed(1)}" y="${y + 13}">${figure(value)}</text>`);
  });
  return { svg: lines.join('\n  '), height: 44 + bars.length * ROW };
}

/**
 * Writes docs/images/<file>.
 * @param {{ title: string, note: string, bars: { name: string, value: number }[] }[]} panels  one below the other
 */
function draw(file, label, panels) {
  let top = 8;
  const parts = panels.map((p) => {
    const { svg, height } = panel(top, p);
    top += height;
    return svg;
  });
  write(file, label, top, parts);
}

module.exports = { draw };
