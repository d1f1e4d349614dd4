import { drawPicture } from '../../../lib/picture.js';

/** What next/image asks for when its cache has nothing: drawn for each request. */
export async function GET() {
  const picture = drawPicture(Date.now());
  return new Response(picture, { headers: { 'content-type': 'image/png', 'cache-control': 'public, max-age=30' } });
}
