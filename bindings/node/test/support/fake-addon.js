'use strict';
/* In the place of larder.node (LARDER_NODE_ADDON): what its puts do is for the test to say. */
exports.connect = (deliver) => {
  exports.deliver = deliver;
};
exports.open = () => ({ put: (...args) => exports.put(...args), known: () => 0 });
