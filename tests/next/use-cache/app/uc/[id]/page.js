import { Suspense } from 'react';
import * as cache from 'next/cache';
import { uncached, serial } from '../../../lib/origin';

// Stable names in 16.
const cacheTag = cache.cacheTag ?? cache.unstable_cacheTag;
const cacheLife = cache.cacheLife ?? cache.unstable_cacheLife;

async function local(id) {
  'use cache';
  cacheTag('uc', `uc-${encodeURIComponent(id)}`);
  cacheLife('hours');
  const { n } = await uncached(`uc-${encodeURIComponent(id)}`);
  return { n, serial: serial(), big: 'x'.repeat(100000) };
}

async function remote() {
  'use cache: remote';
  cacheTag('uc-remote');
  cacheLife('max');
  return { serial: serial() };
}

async function Body({ params }) {
  const { id } = await params;
  const a = await local(decodeURIComponent(id));
  const b = await remote();
  return <main>{`[n:${a.n}][serial:${a.serial}][big:${a.big.length}][remote:${b.serial}]`}</main>;
}

export default function Page({ params }) {
  return (
    <Suspense fallback={<p>...</p>}>
      <Body params={params} />
    </Suspense>
  );
}
