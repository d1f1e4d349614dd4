const { withLarder } = require('larder');
const { version } = require('next/package.json');

module.exports = withLarder(
  () => (Number.parseInt(version, 10) >= 16 ? { cacheComponents: true } : { experimental: { useCache: true } }),
  { useCache: true },
);
