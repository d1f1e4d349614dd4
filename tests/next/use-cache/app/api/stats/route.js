// What the store of this server has done so far.
export function GET(request) {
  request.headers.get('host'); // not at build time
  const stats = globalThis[Symbol.for('larder.node.state.1')]?.store?.stats() ?? {};
  return Response.json(stats);
}
