import { revalidatePath, revalidateTag } from 'next/cache';
import { knownPath, knownTag } from '../../../lib/kinds.js';

/** What the buttons call: {tag}, {tag, profile: 'max'}, {path} or {path, type: 'page'}. */
export async function POST(request) {
  const { tag, profile, path, type } = await request.json().catch(() => ({}));
  if (knownTag(tag) && (profile === undefined || profile === 'max')) {
    revalidateTag(tag, profile);
  } else if (knownPath(path) && (type === undefined || type === 'page')) {
    revalidatePath(path, type);
  } else {
    return Response.json({ error: 'unknown tag or path' }, { status: 400 });
  }
  return Response.json({ done: true });
}
