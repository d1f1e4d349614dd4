/*
 * The kinds of cache entries Next.js has, in the order of the shelf.  Pages, cards and check.mjs
 * all read this list.
 *
 *   ask         what to request to see the entry
 *   tag, paths  what the buttons revalidate
 *   revalidate  seconds; false: until someone says so
 *   inner       the page itself is rendered for each request; the data in it is what is cached
 */
export const SECONDS = 30;

export const KINDS = [
  {
    id: 'static',
    title: 'Static page',
    short: 'Static',
    entry: 'APP_PAGE',
    path: '/static',
    ask: '/static',
    tag: 'static',
    revalidate: false,
    what: 'HTML and RSC payload of a page without a lifetime, first rendered by next build.',
    how: 'It stays until you revalidate its tag or its path.',
    code: `export default async function Page() {
  const recipe = await getRecipe();
  return <Jar {...recipe} />;
}`,
  },
  {
    id: 'isr',
    title: 'ISR page',
    short: 'ISR',
    entry: 'APP_PAGE',
    path: '/isr',
    ask: '/isr',
    tag: 'isr',
    revalidate: SECONDS,
    what: `The same kind of entry with a lifetime of ${SECONDS} seconds.`,
    how: 'After that, one visitor still gets the old page while a new one is made behind it.',
    code: `export const revalidate = ${SECONDS};

export default async function Page() {
  return <Jar {...await getRecipe()} />;
}`,
  },
  {
    id: 'posts',
    title: 'Dynamic route',
    short: 'Dynamic route',
    entry: 'APP_PAGE',
    path: '/posts/quince',
    ask: '/posts/quince',
    tag: 'posts',
    revalidate: SECONDS,
    pattern: '/posts/[slug]',
    what: 'One entry for each slug: plum and quince are built, any other is made by its first visitor.',
    how: 'The tag and the pattern reach all of them at once, the path only this one.',
    code: `export function generateStaticParams() {
  return [{ slug: 'plum' }, { slug: 'quince' }];
}`,
  },
  {
    id: 'pages',
    title: 'Pages Router ISR',
    short: 'Pages Router',
    entry: 'PAGES',
    path: '/pages-isr',
    ask: '/pages-isr',
    revalidate: SECONDS,
    onDemand: true,
    what: 'HTML and JSON of a getStaticProps page.',
    how: 'Such a page has no tags: revalidate its path, or let res.revalidate() render it at once.',
    code: `export function getStaticProps() {
  return { props: stamp(), revalidate: ${SECONDS} };
}`,
  },
  {
    id: 'route',
    title: 'Route handler',
    short: 'Route handler',
    entry: 'APP_ROUTE',
    path: '/route-handler',
    ask: '/api/time',
    tag: 'route',
    revalidate: SECONDS,
    what: 'Status, headers and body of a GET handler that says it is static.',
    how: 'Its tag and its own path, /api/time, make the next call run it again.',
    code: `export const dynamic = 'force-static';
export const revalidate = ${SECONDS};

export async function GET() {
  return Response.json(await getTime());
}`,
  },
  {
    id: 'fetch',
    title: 'Tagged fetch',
    short: 'fetch',
    entry: 'FETCH',
    path: '/fetch',
    ask: '/fetch',
    tag: 'fetch',
    revalidate: SECONDS,
    inner: true,
    what: 'The response of one fetch(). The page around it is rendered for every request.',
    how: 'Revalidating the tag or the path sends the next visitor to the origin again.',
    code: `const response = await fetch(ORIGIN, {
  next: { tags: ['fetch'], revalidate: ${SECONDS} },
});`,
  },
  {
    id: 'unstable',
    title: 'unstable_cache',
    short: 'unstable_cache',
    entry: 'FETCH',
    path: '/unstable-cache',
    ask: '/unstable-cache',
    tag: 'unstable',
    revalidate: SECONDS,
    inner: true,
    what: 'What a function returned, as JSON. The page around it is rendered for every request.',
    how: 'Revalidating the tag or the path makes the function run again.',
    code: `const getJar = unstable_cache(makeJar, ['jar'], {
  tags: ['unstable'], revalidate: ${SECONDS},
});`,
  },
  {
    id: 'use-cache',
    title: "'use cache'",
    short: "'use cache'",
    entry: 'USE_CACHE',
    path: '/use-cache',
    ask: '/use-cache',
    tag: 'use-cache',
    revalidate: SECONDS,
    inner: true,
    what: 'What a function marked with the directive returned, as a stream of bytes.',
    how: 'cacheTag() and cacheLife() inside the function say what the buttons reach and how long it keeps.',
    code: `async function getJar() {
  'use cache';
  cacheTag('use-cache');
  cacheLife({ revalidate: ${SECONDS} });
  return makeJar();
}`,
  },
  {
    id: 'image',
    title: 'Optimized image',
    short: 'Image',
    entry: 'IMAGE',
    path: '/image',
    ask: '/_next/image?url=%2Fapi%2Fpicture&w=960&q=75',
    revalidate: SECONDS,
    what: 'The bytes that next/image made of a picture, for one width, quality and format.',
    how: `It has no tags. It keeps for ${SECONDS} seconds, then the picture is drawn again.`,
    code: `<Image src="/api/picture"
       width={960} height={540}
       alt="Three jars on a shelf" />`,
  },
];

export const kind = (id) => KINDS.find((one) => one.id === id);

/** The buttons of a kind: where each posts what, how it reads in code, and what it does. */
export function actions({ tag, path, ask, pattern, entry, onDemand }) {
  const list = [];
  const add = (label, hint, body, to = '/api/revalidate') => list.push({ label, hint, body, to });
  if (tag) {
    add(`revalidateTag('${tag}')`, 'Gone: the next visitor waits for a new one.', { tag });
    add(`revalidateTag('${tag}', 'max')`, 'Stale: the next visitor still gets the old one, once.', { tag, profile: 'max' });
  }
  if (entry !== 'IMAGE') {
    const target = entry === 'APP_ROUTE' ? ask : path;
    add(`revalidatePath('${target}')`, 'Gone: all that was made for this path.', { path: target });
  }
  if (pattern) {
    add(`revalidatePath('${pattern}', 'page')`, 'Gone: every page of this route.', { path: pattern, type: 'page' });
  }
  if (onDemand) {
    add(`res.revalidate('${path}')`, 'Renders the new page before it answers.', { path }, '/api/render');
  }
  return list;
}

export const SLUG = /^[a-z]{1,24}$/;

export const knownTag = (tag) => KINDS.some((one) => one.tag !== undefined && one.tag === tag);

export const knownPath = (path) =>
  KINDS.some((one) => [one.path, one.ask, one.pattern].includes(path)) ||
  (typeof path === 'string' && path.startsWith('/posts/') && SLUG.test(path.slice('/posts/'.length)));
