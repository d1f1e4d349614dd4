'use strict';
// One tag, so many entries: revalidate.js URL TAG COUNT fill | go.  In two processes, as in life.

const { larderStore } = require('./contenders.js');

async function fill({ store, KIND }, tag, count) {
  const { known } = await store.epoch();
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const { status, detail } = await store.put({
        key: `/${tag}/${next++}`, build: 'bench', kind: KIND.PAGE, epoch: known, modified: Date.now(), revalidate: NaN, expire: NaN,
        tags: [tag], meta: '{}', parts: [Buffer.from('page')],
      });
      if (status !== 0) throw new Error(`put: ${detail}`);
    }
  };
  await Promise.all(Array.from({ length: 32 }, lane));
}

async function go({ store }, tag) {
  const { status, detail } = await store.revalidate([tag]);
  if (status !== 0) throw new Error(`revalidate: ${detail}`);
}

const [url, tag, count, what] = process.argv.slice(2);
(what === 'fill' ? fill : go)(larderStore(url), tag, Number(count)).then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
