import Bench from '../../components/bench.js';

export const metadata = { title: 'Route handler' };

export default function Page() {
  return <Bench id="route" />;
}
