import { createServer } from 'node:http';
import { stamp } from './stamp.js';

/*
 * The "remote" API behind the fetch() page.  It lives on this machine, on one port that all
 * processes of the app share: whichever starts first listens, and the others take over when it
 * ends.  So the URL, and with it the key of the cached fetch, is the same in every process.
 */
export const ORIGIN = `http://127.0.0.1:${process.env.ORIGIN_PORT ?? 3999}`;

const RETRY_MS = 1000;

export function startOrigin() {
  let asked = 0;
  const server = createServer((request, response) => {
    const body = request.url === '/count' ? { asked } : { ...stamp(), asked: ++asked };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(body));
  });
  const listen = () => server.listen(Number(new URL(ORIGIN).port), '127.0.0.1');
  server.on('error', (error) => {
    if (error.code === 'EADDRINUSE') setTimeout(listen, RETRY_MS).unref();
    else console.error(`origin: ${error.message}`);
  });
  listen();
  server.unref();
  return server;
}
