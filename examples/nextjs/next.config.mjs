export default {
  experimental: { useCache: true },
  images: { deviceSizes: [960], imageSizes: [480], minimumCacheTTL: 30, localPatterns: [{ pathname: '/api/picture' }] },
};
