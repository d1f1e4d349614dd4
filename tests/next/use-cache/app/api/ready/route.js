export function GET(request) {
  request.headers.get("host"); // not at build time
  return new Response('ready');
}
