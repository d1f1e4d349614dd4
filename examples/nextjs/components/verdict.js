const WORDS = {
  HIT: 'from the cache',
  STALE: 'from the cache, and a new one is being made',
  MISS: 'made for this request',
  REVALIDATED: 'made for this request',
};

/** HIT, STALE, MISS: the header x-nextjs-cache, or for a page without it what its data shows. */
export default function Verdict({ of }) {
  if (!of?.verdict) return null;
  const from = of.cache ? `x-nextjs-cache: ${of.cache}` : 'read from the data: this page has no x-nextjs-cache header';
  return (
    <span className={`verdict is-${of.verdict.toLowerCase()}`} title={`${WORDS[of.verdict] ?? 'unknown'} (${from})`}>
      {of.verdict}
    </span>
  );
}
