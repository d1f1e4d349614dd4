import { revalidatePath, revalidateTag } from 'next/cache';
// ?tag=a&tag=b, ?path=/isr, ?path=/post/[id]&type=page; with tag: ?profile=max or ?expire=0
export async function GET(request) {
  const q = new URL(request.url).searchParams;
  const expire = q.get('expire');
  const profile = q.get('profile') ?? (expire === null ? undefined : { expire: Number(expire) });
  for (const tag of q.getAll('tag')) {
    if (profile === undefined) revalidateTag(tag);
    else revalidateTag(tag, profile);
  }
  for (const path of q.getAll('path')) revalidatePath(path, q.get('type') ?? undefined);
  return new Response('revalidated');
}
