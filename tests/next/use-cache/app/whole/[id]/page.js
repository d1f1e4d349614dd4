import * as cache from 'next/cache';
import { uncached, serial } from '../../../lib/origin';

const cacheTag = cache.cacheTag ?? cache.unstable_cacheTag;
const cacheLife = cache.cacheLife ?? cache.unstable_cacheLife;

export function generateStaticParams() {
  return [{ id: 'built' }];
}

async function local(id) {
  'use cache';
  cacheTag(`whole-${id}`);
  cacheLife('hours');
  const { n } = await uncached(`whole-${id}`);
  return { n, serial: serial() };
}

// All of it is cached, so with its params known the page is static.
export default async function Page({ params }) {
  const { id } = await params;
  const { n, serial } = await local(id);
  return <main>{`[n:${n}][serial:${serial}]`}</main>;
}
