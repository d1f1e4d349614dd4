'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const { check } = require('./epochs.js');

/* "1/0": a process with one renderer and no revalidator. */
const processes = (text) => text.split(' ').map((pair) => {
    const [renderers, revalidators] = pair.split('/').map(Number);
    return { renderers, revalidators };
});

const told = (options) => Object.entries(options).map(([name, value]) => `, ${name} ${value}`).join('');

const holds = (scheme, requests, text, options = {}) => test(`${scheme} hold: ${requests} request(s) each, ${text}${told(options)}`, (t) => {
    const { states, violation } = check({ scheme, requests, processes: processes(text), ...options });
    t.diagnostic(`${states} states`);
    assert.deepStrictEqual(violation, null);
    assert.ok(states > 100, 'so few states are no exploration');
});

const fails = (what, options, text, violates = /version 1 was answered, 2 was revalidated/) => test(what, (t) => {
    const { violation } = check({ requests: 1, processes: processes(text), ...options });
    assert.ok(violation, 'a violation was expected');
    t.diagnostic(`${violation.steps.length} steps`);
    assert.match(violation.what, violates);
});

/* Size is limited by time: about 20 s together. */
holds('two rounds', 2, '1/0 0/1');
holds('two rounds', 3, '1/0 0/1');
holds('two rounds', 1, '1/0 1/0 0/1');
holds('two rounds', 1, '2/1');
holds('two rounds', 1, '1/0 0/2');
holds('bump', 3, '1/0 0/1');
holds('bump', 1, '1/0 1/0 0/1');
holds('bump', 1, '2/1');
holds('bump', 1, '1/1 1/1');

fails('one round is not enough: the mark is written after a page took the new epoch from the counter',
    { scheme: 'one round' }, '1/0 1/0 0/1');
fails('one round is not enough within one process', { scheme: 'one round' }, '2/1');
fails('one round is not enough for one renderer that asks again', { scheme: 'one round', requests: 2 }, '1/0 0/1');

/* The model must be able to tell: what is broken on purpose is found. */
for (const scheme of ['two rounds', 'bump']) {
    fails(`${scheme}, but the epoch is noted when the page is stored: found`, { scheme, noteAtSet: true }, '1/0 1/0 0/1');
    fails(`${scheme}, but a get takes marks that were read before it began: found`, { scheme, joinMarks: true }, '1/0 1/0 0/1');
}

/* A lossy store: marks vanish, one by one. */
holds('two rounds', 2, '1/0 0/1', { losses: 2 });
holds('two rounds', 1, '1/0 1/0 0/1', { losses: 1 });
holds('two rounds', 1, '1/0 0/2', { losses: 1 });
holds('two rounds', 2, '1/0 0/1', { losses: 1, repeats: 1 });
holds('bump', 2, '1/0 0/1', { losses: 2 });
holds('bump', 1, '1/0 1/0 0/1', { losses: 2 });
holds('bump', 1, '1/0 0/2', { losses: 2 });
/* The counter, too, where it comes back greater. */
for (const scheme of ['two rounds', 'bump'])
    holds(scheme, 2, '1/0 0/1', { losses: 1, counterLosses: 1 });

for (const scheme of ['two rounds', 'bump']) {
    fails(`${scheme}, lossy, but a tag without a mark counts as fresh: found`, { scheme, losses: 1, trustAbsent: true }, '1/0 0/1');
    fails(`${scheme}, lossy, but a mark is made with what the counter was: found`, { scheme, requests: 2, losses: 1, make: 'looked' }, '1/0 0/1');
    fails(`${scheme}, lossy, and the counter comes back smaller: found, as the documentation says`,
        { scheme, requests: 2, losses: 1, counterLosses: 1, clock: -1 }, '1/0 0/1');
    fails(`${scheme}, lossy, but what a mark tells is not learned, nor the counter asked: found`,
        { scheme, losses: 1, deaf: true, unasked: true }, '1/0 0/1', /second get of P was no hit/);
}
fails('two rounds, lossy, but a late write makes a mark anew with its old number: found',
    { scheme: 'two rounds', requests: 2, losses: 1, repeats: 1, make: 'written' }, '1/0 0/2');
