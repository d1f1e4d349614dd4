'use strict';
/*
 * What the store of this process has counted, for a route of the application to show.  Works in code that
 * Next.js bundles: it finds the store that the handlers opened and loads nothing.
 */
const { state } = require('./state.js');

const FORMATS = { prometheus: 1, otlp: 2 };

/** @returns {import('./metrics').Stats | null} */
function stats() {
  return state().store?.stats() ?? null;
}

/**
 * @param {'prometheus' | 'otlp'} [format]
 * @param {Record<string, string | number>} [labels]
 * @returns {string}
 */
function metrics(format = 'prometheus', labels = {}) {
  if (!Object.hasOwn(FORMATS, format))
    throw new TypeError(`larder: no format '${format}' of metrics; there are: ${Object.keys(FORMATS).join(', ')}`);
  const texts = Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, String(value)]));
  return state().store?.metrics(FORMATS[format], texts) ?? '';
}

module.exports = { stats, metrics };
