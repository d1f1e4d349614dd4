import { knownPath } from '../../lib/kinds.js';

/** On-demand ISR as the Pages Router has it: the page is rendered anew before this answers. */
export default async function handler(request, response) {
  const { path } = request.body ?? {};
  if (request.method !== 'POST' || !knownPath(path)) return response.status(400).json({ error: 'unknown path' });
  await response.revalidate(path);
  return response.json({ done: true });
}
