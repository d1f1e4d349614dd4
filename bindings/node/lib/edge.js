'use strict';
/*
 * What edge functions and middleware get in place of the handlers: there is no native code in the
 * edge runtime, so everything is a miss.  Next.js bundles the handler into them whether they use a
 * cache or not.
 */
class LarderHandler {
  async get() {
    return null;
  }
  async set() {}
  async revalidateTag() {}
  resetRequestCache() {}
}

const useCache = {
  async get() {
    return undefined;
  },
  async set() {},
  async refreshTags() {},
  async getExpiration() {
    return 0;
  },
  async updateTags() {},
  async expireTags() {},
};

module.exports = { LarderHandler, useCache };
