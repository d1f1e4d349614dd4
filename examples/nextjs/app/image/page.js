import Bench from '../../components/bench.js';

export const metadata = { title: 'Optimized image' };

export default function Page() {
  return <Bench id="image" />;
}
