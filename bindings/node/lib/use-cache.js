'use strict';
/* One of `cacheHandlers` in next.config.js: see next.js beside this file for the condition. */
if (process.env.NEXT_RUNTIME === 'edge') {
  module.exports = require('./edge.js').useCache;
} else {
  module.exports = require('./use-cache-handler.js').useCache;
}
