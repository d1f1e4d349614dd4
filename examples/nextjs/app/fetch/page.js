import { connection } from 'next/server';
import Bench from '../../components/bench.js';
import { ORIGIN } from '../../lib/origin.js';
import { stamp } from '../../lib/stamp.js';

export const metadata = { title: 'Tagged fetch' };

export default async function Page() {
  await connection(); // this page is rendered for every request
  const page = stamp();
  const response = await fetch(ORIGIN, { next: { tags: ['fetch'], revalidate: 30 } });
  return <Bench id="fetch" stamp={await response.json()} page={page} />;
}
