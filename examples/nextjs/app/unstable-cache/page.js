import { unstable_cache } from 'next/cache';
import { connection } from 'next/server';
import Bench from '../../components/bench.js';
import { stamp } from '../../lib/stamp.js';

export const metadata = { title: 'unstable_cache' };

const getJar = unstable_cache(async () => stamp(), ['jar'], { tags: ['unstable'], revalidate: 30 });

export default async function Page() {
  await connection(); // this page is rendered for every request
  const page = stamp();
  return <Bench id="unstable" stamp={await getJar()} page={page} />;
}
