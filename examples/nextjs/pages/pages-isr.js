import Head from 'next/head';
import Bench from '../components/bench.js';
import { stamp } from '../lib/stamp.js';

export function getStaticProps() {
  return { props: { stamp: stamp() }, revalidate: 30 };
}

export default function Page({ stamp }) {
  return (
    <>
      <Head>
        <title>Pages Router ISR · Larder</title>
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <link rel="icon" href="/icon.svg" />
      </Head>
      <Bench id="pages" stamp={stamp} />
    </>
  );
}
