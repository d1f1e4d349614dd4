'use strict';
/*
 * An S3 for tests, as long as a command runs: the gateway of Ceph (ceph.js), or a front before one.
 *
 *   node s3.js -- COMMAND [ARG...]
 *       `{s3}` in an argument stands for the gateway's URL.  Ends as COMMAND does.
 *   node s3.js --front URL [OPTION...] -- COMMAND [ARG...]
 *       `{s3}` stands for a server in front of the gateway at URL.
 *       --verify      requests must be signed by the keys in `keys`
 *       --faults N    of so many requests in a thousand something goes wrong (`faults`)
 *       --for S       so long
 *       --seed N      what, and when
 *       --region R    it is of this region, and says so to whoever signs for another
 *       --plain       it does not know writes on conditions
 *       --bounce S    after so many seconds the gateway is killed and started again, once
 *   node s3.js --tell cut|restart
 *       from within COMMAND: the gateway is killed; or started anew, with all its data
 */
const { listen, randomness, front, control, tell, run, options, end } = require('./front');

const CONTROL = 'S3_TEST_CONTROL'; // where --tell finds the gateway: a variable for COMMAND

/** What the tests sign with. */
const keys = { TESTKEY: { secret: 'testsecret/+key0123' } };

// ---- what goes wrong ---------------------------------------------------------------------------------

/** As S3 says it; to HEAD it has no body to say it in. */
const refuse = (status, code, headers = {}, more = '') => ({ request, response }) => {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>of the test</Message>${more}</Error>`;
  response.writeHead(status, { 'content-type': 'application/xml', 'x-amz-request-id': 'test', ...headers });
  response.end(request.method === 'HEAD' ? undefined : body);
};

const regionOf = (request) => (/Credential=[^/]+\/\d+\/([^/]+)\//.exec(request.headers.authorization) || [])[1];
const isOfBucket = (request) => /^\/[^/]+\/?(\?lifecycle=)?$/.test(request.url);

const makeOwn = ({ region, plain }) => ({
  refuse: (status, code) => refuse(status, code),
  // What makes the bucket is not what is tried.
  spared: (request) => isOfBucket(request) && request.method !== 'GET',
  faults: {
    slowDown: refuse(503, 'SlowDown'),
    internal: refuse(500, 'InternalError'),
    unavailable: refuse(503, 'ServiceUnavailable'),
    expired: refuse(400, 'ExpiredToken'),
    aborted: refuse(409, 'OperationAborted'),
    timeout: refuse(400, 'RequestTimeout'),
    tooMany: refuse(429, 'TooManyRequests', { 'retry-after': '0' }),
  },
  answer(it, told) {
    const { method, headers } = it.request;
    const signed = regionOf(it.request);
    if (region && signed !== region) {
      told.wrongRegion = (told.wrongRegion || 0) + 1;
      // A bucket that is elsewhere, by its header; a signature for elsewhere, by an element.
      if (told.wrongRegion % 2) refuse(301, 'PermanentRedirect', { 'x-amz-bucket-region': region })(it);
      else refuse(400, 'AuthorizationHeaderMalformed', method === 'HEAD' ? { 'x-amz-bucket-region': region } : {},
        `<Region>${region}</Region>`)(it);
      return true;
    }
    if (plain && method !== 'GET' && (headers['if-match'] || headers['if-none-match'])) {
      told.notImplemented = (told.notImplemented || 0) + 1;
      refuse(501, 'NotImplemented')(it);
      return true;
    }
    return false;
  },
});

// ---- the command line --------------------------------------------------------------------------------------

async function withCeph(command) {
  const server = await require('./ceph').start(keys);
  try {
    return await run(command, { '{s3}': `http://127.0.0.1:${server.port}` }, { [CONTROL]: await control((what) => server[what]()) });
  } finally {
    await server.stop();
  }
}

/** Resolves when the gateway has come back, so that nobody ends while it is away. */
async function bounce(seconds, told) {
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  await tell(process.env[CONTROL], 'cut');
  await tell(process.env[CONTROL], 'restart');
  told.bounced = 1;
}

async function withFront(given, command) {
  const told = { requests: 0, badSignatures: 0 };
  const server = front({ port: Number(new URL(given.url).port), permille: given.permille, seconds: given.seconds,
    random: randomness(given.seed), keys: given.verified ? keys : null, told, own: makeOwn(given) });
  const url = `http://127.0.0.1:${await listen(server)}`;
  const back = given.bounce === undefined ? null : bounce(given.bounce, told);
  const status = await run(command, { '{s3}': url }, {});
  await back;
  console.log(`front: ${JSON.stringify(told)}`);
  return status !== 0 || told.badSignatures > 0 ? status || 1 : 0;
}

async function main(words) {
  if (words[0] === '--tell') {
    await tell(process.env[CONTROL], words[1]);
    return 0;
  }
  const given = { permille: 0, seconds: Infinity, seed: 1 };
  const command = options(words, {
    '--front': (value) => { given.url = value; },
    '--verify': () => { given.verified = true; },
    '--faults': (value) => { given.permille = Number(value); },
    '--for': (value) => { given.seconds = Number(value); },
    '--seed': (value) => { given.seed = Number(value); },
    '--region': (value) => { given.region = value; },
    '--plain': () => { given.plain = true; },
    '--bounce': (value) => { given.bounce = Number(value); },
  });
  return given.url ? withFront(given, command) : withCeph(command);
}

end('s3.js', main);
