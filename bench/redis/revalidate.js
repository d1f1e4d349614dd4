'use strict';
// One tag with so many entries: revalidate.js HANDLER SERVER DIR TAG COUNT fill | go.  In two processes, as in life.
// `go` prints {"ms"}: from the call of revalidateTag() to its answer, in a process that has read before.

const { handlers } = require('./handlers.js');

const LANES = 32;
const key = (tag, i) => `${Buffer.from(tag).toString('hex').padStart(32, '0')}${String(i).padStart(32, '0')}`;
const value = { kind: 'FETCH', revalidate: 3600, data: { headers: {}, status: 200, url: 'https://api.example.com/', body: Buffer.alloc(300, 'x').toString('base64') } };
const getContext = (tag) => ({ kind: 'FETCH', revalidate: 3600, tags: [tag], softTags: [], fetchIdx: 1, isFallback: false });
const setContext = (tag) => ({ fetchCache: true, tags: [tag], fetchIdx: 1, isImplicitBuildTimeCache: false });

async function fill(make, tag, count) {
  await make().get(key(tag, 0), getContext(tag)); // notes what it is rendered after
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const at = key(tag, next++);
      await make().get(at, getContext(tag));
      await make().set(at, value, setContext(tag));
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

async function go(make, tag, count) {
  const all = async (there) => {
    for (let i = 0; i < count; i += Math.ceil(count / 100)) {
      const answer = await make().get(key(tag, i), getContext(tag));
      if (Boolean(answer?.value) !== there) throw new Error(`entry ${i} of ${count} is ${there ? 'not there' : 'still there'}`);
    }
  };
  await all(true);
  const begin = performance.now();
  await make().revalidateTag(tag);
  const ms = performance.now() - begin;
  await all(false);
  return { ms };
}

const [handler, server, dir, tag, count, what] = process.argv.slice(2);
handlers[handler](JSON.parse(server), dir)
  .then((make) => (what === 'fill' ? fill : go)(make, tag, Number(count)))
  .then((result) => {
    if (result) console.log(JSON.stringify(result));
    process.exit(0);
  }, (error) => {
    console.error(error);
    process.exit(1);
  });
