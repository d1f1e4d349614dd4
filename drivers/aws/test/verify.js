'use strict';
// Verifies Signature Version 4 from what arrived, by the description of the algorithm alone:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

const crypto = require('node:crypto');

const hmac = (key, text) => crypto.createHmac('sha256', key).update(text).digest();
const sha256 = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');

/** The bytes of a percent-encoded text; `+` is a plus. */
function decode(text) {
  const bytes = [];
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '%') {
      bytes.push(parseInt(text.slice(i + 1, i + 3), 16));
      i += 2;
    } else bytes.push(text.charCodeAt(i));
  }
  return Buffer.from(bytes);
}

const encode = (bytes) => [...bytes].map((b) => (/[A-Za-z0-9\-._~]/.test(String.fromCharCode(b))
  ? String.fromCharCode(b) : `%${b.toString(16).toUpperCase().padStart(2, '0')}`)).join('');

function canonicalPath(path, service) {
  if (service === 's3') return path.split('/').map((part) => encode(decode(part))).join('/');
  const parts = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(encode(Buffer.from(part, 'latin1')));
  }
  const slash = parts.length > 0 && /\/\.{0,2}$/.test(path) ? '/' : '';
  return `/${parts.join('/')}${slash}`;
}

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

function canonicalQuery(query) {
  return query.split('&').filter(Boolean).map((pair) => {
    const at = pair.indexOf('=');
    return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
  }).map(([name, value]) => [encode(decode(name)), encode(decode(value))])
    .sort((a, b) => compare(a[0], b[0]) || compare(a[1], b[1])).map((pair) => pair.join('=')).join('&');
}

const time = (stamp) => Date.parse(stamp.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'));

/** secretOf(id): {secret, token, expired}, or undefined.  clock: the time of day here, in ms. */
function verify(request, body, secretOf, clock) {
  const fail = (status, code, message) => ({ status, date: new Date(clock).toUTCString(),
    body: `<Error><Code>${code}</Code><Message>${message || code}</Message></Error>` });
  const { headers } = request;
  const parsed = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/
    .exec(headers.authorization || '');
  if (!parsed) return fail(403, 'IncompleteSignature', headers.authorization);
  const [, id, day, region, service, signed, signature] = parsed;
  const known = secretOf(id);
  if (!known || (known.token || '') !== (headers['x-amz-security-token'] || '')) return fail(403, 'InvalidAccessKeyId');
  if (known.expired) return fail(400, 'ExpiredToken');
  const stamp = headers['x-amz-date'] || '';
  if (stamp.slice(0, 8) !== day) return fail(403, 'SignatureDoesNotMatch', 'day');
  if (!(Math.abs(time(stamp) - clock) < 300000)) return fail(403, 'RequestTimeTooSkewed');

  const names = signed.split(';');
  if (names.join() !== [...names].sort().join() || !names.includes('host')) return fail(403, 'SignatureDoesNotMatch', 'names');
  for (const name of Object.keys(headers))
    if (name.startsWith('x-amz-') && !names.includes(name)) return fail(403, 'SignatureDoesNotMatch', `${name} unsigned`);
  let hash = sha256(body);
  const told = headers['x-amz-content-sha256'];
  if (service === 's3' && !told) return fail(400, 'MissingSecurityHeader');
  if (told && told !== 'UNSIGNED-PAYLOAD' && told !== hash) return fail(400, 'XAmzContentSHA256Mismatch');
  if (told) hash = told;

  const question = request.url.indexOf('?');
  const path = question < 0 ? request.url : request.url.slice(0, question);
  const canonical = [request.method, canonicalPath(path, service),
    canonicalQuery(question < 0 ? '' : request.url.slice(question + 1)),
    ...names.map((name) => `${name}:${String(headers[name]).trim().replace(/\s+/g, ' ')}`), '', signed, hash].join('\n');
  const key = hmac(hmac(hmac(hmac(`AWS4${known.secret}`, day), region), service), 'aws4_request');
  const wanted = hmac(key, ['AWS4-HMAC-SHA256', stamp, `${day}/${region}/${service}/aws4_request`,
    sha256(canonical)].join('\n')).toString('hex');
  if (wanted !== signature) return fail(403, 'SignatureDoesNotMatch', canonical);
  return { status: 200, body: JSON.stringify({ id, region, service, path, length: body.length }) };
}

module.exports = { verify };
