'use strict';
// Where credentials come from, as far as a client can tell: the metadata service of EC2 (IMDSv2 and v1),
// the endpoint of ECS and EKS, and STS.  All of them hand out sets that verify.js knows.

const crypto = require('node:crypto');

let issued;
let settings;
let counts;
const fixed = { AKIDEXAMPLE: { secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' } };

/** Anew: what is issued is forgotten.  now: the time of day here, in ms; life: of a set, in seconds;
 *  fail: {imds|token|container|sts: status or code}, times: how often; v1: IMDSv1 is served as well;
 *  delay: of each answer in ms; region: the one that signatures must be for.  Or one thing alone: expire: all sets issued so far are refused; pass: so many
 *  ms later; failing: as fail. */
function set(given) {
  if (given.failing) {
    settings.fail = given.failing;
    return;
  }
  if (given.pass) {
    settings.now += given.pass;
    return;
  }
  if (given.expire) {
    for (const one of Object.values(issued)) one.expired = true;
    return;
  }
  issued = {};
  counts = {};
  settings = { now: 1767323045000, life: 3600, fail: {}, times: Infinity, v1: false, delay: 0, auth: undefined,
    ...given };
}
set({});

const count = (what) => { counts[what] = (counts[what] || 0) + 1; };
const stats = () => counts;
const secretOf = (id) => issued[id] || fixed[id];
const now = () => settings.now;
const region = () => settings.region;

function issue() {
  const made = { id: `ASIA${crypto.randomBytes(8).toString('hex').toUpperCase()}`,
    secret: crypto.randomBytes(30).toString('base64'), token: crypto.randomBytes(300).toString('base64'),
    expiration: new Date(settings.now + settings.life * 1000).toISOString().replace(/\.\d+/, '') };
  issued[made.id] = made;
  return made;
}

function failure(what) {
  if (settings.fail[what] === undefined || settings.times <= 0) return undefined;
  settings.times--;
  return settings.fail[what];
}

function imds(request, answer) {
  const { url, method, headers } = request;
  if (url === '/latest/api/token') {
    count('token');
    const ttl = Number(headers['x-aws-ec2-metadata-token-ttl-seconds']);
    if (failure('token')) return answer(settings.fail.token, '');
    return method === 'PUT' && ttl >= 1 && ttl <= 21600 ? answer(200, `token-${ttl}`) : answer(400, '');
  }
  count('imds');
  if (!(headers['x-aws-ec2-metadata-token'] || '').startsWith('token-') && !settings.v1) return answer(401, '<html>401</html>');
  const failed = failure('imds');
  if (failed) return answer(failed, '');
  if (url === '/latest/meta-data/placement/region') return answer(200, 'ap-south-1');
  if (url === '/latest/meta-data/iam/security-credentials/') return answer(200, 'the-role\n');
  if (url !== '/latest/meta-data/iam/security-credentials/the-role') return answer(404, '');
  const { id, secret, token, expiration } = issue();
  return answer(200, JSON.stringify({ Code: 'Success', LastUpdated: '2026-01-01T00:00:00Z', Type: 'AWS-HMAC',
    AccessKeyId: id, SecretAccessKey: secret, Token: token, Expiration: expiration }, null, 2));
}

function container(request, answer) {
  count('container');
  const failed = failure('container');
  if (failed) return answer(failed, '{"code":"InternalServerError","message":"later"}');
  if (request.headers.authorization !== settings.auth) return answer(403, '{"code":"AccessDenied","message":"token"}');
  const { id, secret, token, expiration } = issue();
  return answer(200, JSON.stringify({ RoleArn: 'arn:aws:iam::123456789012:role/task', AccessKeyId: id,
    SecretAccessKey: secret, Token: token, Expiration: expiration }));
}

function sts(request, form, answer) {
  const action = form.get('Action');
  count(action);
  const error = (status, code) => answer(status, '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">' +
    `<Error><Type>Sender</Type><Code>${code}</Code><Message>it is ${code}</Message></Error></ErrorResponse>`);
  const failed = failure('sts');
  if (failed) return error(400, failed);
  const web = action === 'AssumeRoleWithWebIdentity';
  if (form.get('Version') !== '2011-06-15' || (!web && action !== 'AssumeRole')) return error(400, 'InvalidAction');
  if (!/^arn:aws:iam::\d{12}:role\/.+/.test(form.get('RoleArn'))) return error(400, 'ValidationError');
  if (!/^[\w+=,.@-]{2,64}$/.test(form.get('RoleSessionName'))) return error(400, 'ValidationError');
  if (web && form.get('WebIdentityToken') !== 'a.web/identity+token') return error(400, 'InvalidIdentityToken');
  const { id, secret, token, expiration } = issue();
  issued[id].role = form.get('RoleArn');
  issued[id].external = form.get('ExternalId');
  const member = (name, text) => `<${name}>${text}</${name}>`;
  return answer(200, `<${action}Response><${action}Result><Credentials>${member('AccessKeyId', id)}${
    member('SecretAccessKey', secret)}${member('SessionToken', token)}${member('Expiration', expiration)
  }</Credentials></${action}Result></${action}Response>`);
}

/** True: the request was one for us. */
function serve(request, response, body) {
  const answer = (status, text) => setTimeout(() => {
    response.statusCode = status;
    response.end(text);
  }, settings.delay);
  if (request.url.startsWith('/latest/')) imds(request, answer);
  else if (request.url.startsWith('/v2/credentials')) container(request, answer);
  else if (request.url === '/sts/') {
    const form = new URLSearchParams(body.toString());
    if (form.get('Action') === 'AssumeRole') {
      const checked = require('./verify').verify(request, body, secretOf, now());
      if (checked.status !== 200) answer(checked.status, `<ErrorResponse>${checked.body}</ErrorResponse>`);
      else sts(request, form, answer);
    } else sts(request, form, answer);
  } else return false;
  return true;
}

module.exports = { serve, set, stats, secretOf, now, region };
