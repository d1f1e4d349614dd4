import { tagged } from '../../../lib/data.js';
import { stamp } from '../../../lib/stamp.js';

export const dynamic = 'force-static';
export const revalidate = 30;

export async function GET() {
  await tagged('route');
  return Response.json(stamp());
}
