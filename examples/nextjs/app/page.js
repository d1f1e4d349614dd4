import AtWork from '../components/at-work.js';
import Shelf from '../components/shelf.js';
import Stack from '../components/stack.js';

export default function Page() {
  return (
    <>
      <section className="hero">
        <h1>Nine caches, one&nbsp;shelf.</h1>
        <p className="lede">
          Each jar is one kind of entry that Next.js caches and Larder keeps. It shows how old its content is and drains
          with its lifetime. Open one to let it go stale, and see who notices.
        </p>
      </section>
      <Shelf />
      <AtWork />
      <section aria-labelledby="stack-heading" className="how">
        <h2 id="stack-heading">How it is stacked</h2>
        <Stack />
        <p className="quiet">
          Next.js asks its <code>cacheHandler</code>; that is Larder, inside each server process. Which driver is below it
          is a setting: here it is fs, which keeps files in a folder that both processes share. A revalidation is a mark in
          the store, so every process sees it.
        </p>
      </section>
    </>
  );
}
