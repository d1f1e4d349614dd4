import Bench from '../../components/bench.js';
import { tagged } from '../../lib/data.js';
import { stamp } from '../../lib/stamp.js';

export const metadata = { title: 'ISR page' };
export const revalidate = 30;

export default async function Page() {
  await tagged('isr');
  return <Bench id="isr" stamp={stamp()} />;
}
