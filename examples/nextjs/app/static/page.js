import Bench from '../../components/bench.js';
import { tagged } from '../../lib/data.js';
import { stamp } from '../../lib/stamp.js';

export const metadata = { title: 'Static page' };

export default async function Page() {
  await tagged('static');
  return <Bench id="static" stamp={stamp()} />;
}
