'use strict';
/* The JavaScript half of a call, over a native half that the test plays. */
const assert = require('node:assert/strict');
const path = require('node:path');
const { test } = require('node:test');

process.env.LARDER_NODE_ADDON = path.join(__dirname, 'support', 'fake-addon.js');
const addon = require('./support/fake-addon.js');
const { native, entry } = require('./support/kit.js');

const store = native.open([]);
const { desk } = native.load();

/** A record as deliver() takes it: slot, code, outcome, known, contents. */
function answer(slot, outcome) {
  addon.deliver(-1, new Float64Array([slot, 2, outcome, 0, 0]));
  addon.deliver(1);
}

test('what a put reads is kept from before the native call, in which a worker may end, until the answer', async () => {
  const part = Buffer.alloc(10);
  let slot;
  addon.put = (taken) => {
    slot = taken;
    assert.equal(desk.kept[slot]?.[0], part);
  };
  const put = store.put(entry({ parts: [part] }));
  assert.equal(desk.kept[slot][0], part);
  answer(slot, 0);
  assert.deepEqual(await put, { status: 0 });
  assert.equal(desk.kept[slot], undefined);
});

test('what a refused put would have read is not kept', async () => {
  let slot;
  addon.put = (taken) => {
    slot = taken;
    return [-8, 'closing'];
  };
  assert.deepEqual(await store.put(entry({ parts: [Buffer.alloc(10)] })), { status: -8, detail: 'closing' });
  assert.equal(desk.kept[slot], undefined);
});

test('what replaces without a revalidation tells the others, and is not replaced by what was rendered before', async () => {
  let flags;
  addon.put = (...args) => {
    flags = args.at(-1);
    return [-8, 'closing'];
  };
  await store.put(entry({ tell: true }));
  assert.equal(flags, 128 | 2048); // LARDER_F_TELL, LARDER_F_RENEWS
  await store.put(entry({}));
  assert.equal(flags, 0);
});
