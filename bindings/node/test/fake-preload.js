'use strict';
/* node --require: real servers on the fake store, with LARDER_FAKE_FILE between them. */
const { FakeStore, FileTable, fakeNative } = require('./fake-native.js');
const { state } = require('../lib/state.js');

if (process.env.LARDER_FAKE_FILE)
  state().native = fakeNative(new FakeStore({ table: new FileTable(process.env.LARDER_FAKE_FILE) }));
