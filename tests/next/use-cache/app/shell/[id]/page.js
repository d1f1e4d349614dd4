import { Suspense } from 'react';
import { headers } from 'next/headers';
import * as cache from 'next/cache';
import { uncached, serial } from '../../../lib/origin';

const cacheTag = cache.cacheTag ?? cache.unstable_cacheTag;
const cacheLife = cache.cacheLife ?? cache.unstable_cacheLife;

export function generateStaticParams() {
  return [{ id: 'built' }];
}

async function local(id) {
  'use cache';
  cacheTag(`shell-${id}`);
  cacheLife('hours');
  const { n } = await uncached(`shell-${id}`);
  return { n, serial: serial() };
}

async function Dynamic() {
  await headers();
  return <p>{`[dynamic:${serial()}]`}</p>;
}

// Partial prerendering, in 16: the first part is static, the rest is rendered for each request.
export default async function Page({ params }) {
  const { id } = await params;
  const { n, serial } = await local(id);
  return (
    <main>
      {`[n:${n}][serial:${serial}]`}
      <Suspense fallback={<p>...</p>}>
        <Dynamic />
      </Suspense>
    </main>
  );
}
