import { cacheLife, cacheTag } from 'next/cache';
import { connection } from 'next/server';
import Bench from '../../components/bench.js';
import { stamp } from '../../lib/stamp.js';

export const metadata = { title: "'use cache'" };

async function getJar() {
  'use cache';
  cacheTag('use-cache');
  cacheLife({ stale: 30, revalidate: 30, expire: 3600 });
  return stamp();
}

export default async function Page() {
  await connection(); // this page is rendered for every request
  const page = stamp();
  return <Bench id="use-cache" stamp={await getJar()} page={page} />;
}
