import { notFound } from 'next/navigation';
import Bench from '../../../components/bench.js';
import { tagged } from '../../../lib/data.js';
import { SLUG } from '../../../lib/kinds.js';
import { stamp } from '../../../lib/stamp.js';

export const revalidate = 30;

/** These two are built; every other slug is rendered when it is first asked for, and then kept. */
export function generateStaticParams() {
  return [{ slug: 'plum' }, { slug: 'quince' }];
}

export async function generateMetadata({ params }) {
  return { title: `Dynamic route: ${(await params).slug}` };
}

export default async function Page({ params }) {
  const { slug } = await params;
  if (!SLUG.test(slug)) notFound();
  await tagged('posts');
  return <Bench id="posts" slug={slug} stamp={stamp()} />;
}
