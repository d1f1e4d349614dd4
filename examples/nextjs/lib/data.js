import { unstable_cache } from 'next/cache';
import { stamp } from './stamp.js';

/**
 * A page gets its tags from the cached data it reads.  These pages read one small cached thing,
 * so that revalidateTag() can name them; the lot they show is their own.
 */
export const tagged = (tag) => unstable_cache(async () => stamp(), ['tagged', tag], { tags: [tag] })();
