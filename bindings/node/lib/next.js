'use strict';
/*
 * `cacheHandler` of next.config.js.  Loading it must touch nothing native: it is bundled into edge
 * functions, middleware and proxy.js as well.  The condition is one that bundlers resolve.
 */
if (process.env.NEXT_RUNTIME === 'edge') {
  module.exports = require('./edge.js').LarderHandler;
} else {
  module.exports = require('./handler.js').LarderHandler;
}
