import { withLarder } from 'larder';

/** @type {import('next').NextConfig} */
const config = {
  // All kinds of caches in one app: cacheComponents would take `export const revalidate` and
  // force-static away, so 'use cache' is turned on by itself (Next.js 16 warns that this is old).
  experimental: { useCache: true },
  images: { deviceSizes: [960], imageSizes: [480], minimumCacheTTL: 30, localPatterns: [{ pathname: '/api/picture' }] },
};

export default withLarder(config, { useCache: true });
