#!/usr/bin/env node
'use strict';
/*
 * The order without clocks of docs/semantics.md, explored step by step.
 *
 * A page P is built from a data entry F; both carry one tag.  Processes answer gets of P: fresh
 * from the store, or by rendering, which gets F in the same way or fetches from the database.
 * Revalidators change the database, then revalidate the tag.  Every order of single steps is
 * tried, breadth first, so a violation comes with a shortest way to it.
 *
 * Checked (promise P1): a get that begins after a revalidation has completed never answers with
 * data from before that revalidation.  Renderings are gets of F, so what pages are built from
 * is covered by the same sentence.
 *
 * What the model lets happen, because the core or a store may do it:
 * - entry and marks are read in either order, and the counter is looked at, or not, at any time
 *   before the get is answered;
 * - any read of an entry may find nothing (evicted, expired, never there);
 * - a write of an entry lands at any time after it was sent, also after the next request, and
 *   replaces what is there, newer or not;
 * - requests of one process share what it knows of the epoch, and learn from each other and from
 *   its own revalidations at any point between;
 * - in a lossy store the mark vanishes at any time (`losses` times), and a get that finds none has one
 *   made, which lands at any later time, where there still, or again, is none.  So does a write of a
 *   revalidation that was sent twice (`repeats` times).
 *
 * A get begins with its first read: a later beginning only asks for more.
 *
 * Checked as well (promise P6), wherever everything is quiet: each process, whatever it knows, has the
 * page by its second get, also where the rendering found a tag that has no mark.
 */

/* Members of a state, an array of small numbers:
 *   0 DB     version of the data           5,6 P    epoch and version of the page, version 0: none
 *   1 CTR    the counter                   7 DONE   greatest version whose revalidation completed
 *   2 MARK   expired_epoch of the tag,     8...10   how often the mark may still be lost, a write of it
 *            0: it has none                         land again, and the counter be lost
 *   3,4 F    as P, of the data entry       11...    per process: the epoch that it knows
 *                                          then     per renderer R_SIZE, per revalidator V_SIZE numbers
 *                                          then     writes on their way, three numbers each: F or P, epoch
 *                                                   and version; MAKE or MERGE and an epoch */
const DB = 0, CTR = 1, MARK = 2, F = 3, P = 5, DONE = 7, LOSSES = 8, REPEATS = 9, COUNTER_LOSSES = 10, KNOWN = 11;
const MAKE = 1, MERGE = 2;

/* A renderer: requests left; what it does; what its get has read (bits); the entry and the mark
 * that it read; the version that the get must reach; the notes for P and F; the data's version. */
const R_SIZE = 10;
const LEFT = 0, PHASE = 1, READ = 2, GOT = 3, GOT_VERSION = 4, GOT_MARK = 5, NEED = 6, NOTE = 7, NOTE_F = 8, VERSION = 9;
const GET_P = 0, GET_F = 1, FETCH = 2, SET_F = 3, SET_P = 4;
const READ_ENTRY = 1, READ_MARK = 2;

/* A revalidator: its step, the version it made, the epoch it is writing. */
const V_SIZE = 3;
const STEP = 0, MADE = 1, EPOCH = 2;

const SCHEMES = {
    'two rounds': ['change', 'advance', 'write', 'advance', 'write', 'complete'],
    'one round': ['change', 'advance', 'write', 'complete'],
    bump: ['change', 'bump', 'complete'],
};

/*
 * options: scheme; requests (per renderer); processes: [{renderers, revalidators}]; losses, repeats (as
 * above; losses: the store is lossy); counterLosses, and by how much the clock, from which a lost counter
 * comes back, is ahead of it (`clock`: 1, or -1: behind).  What is broken on purpose: noteAtSet (the epoch is noted
 * when the page is stored), joinMarks (a get takes marks that were read before it began); in a lossy
 * store, trustAbsent (no mark is taken for a mark that says fresh), make: 'looked' (a missing mark is made with what
 * the counter was when it was found missing, and not with what it is when it lands), or 'written' (a
 * revalidation that makes a mark anew writes its own number alone), deaf (what a mark tells is not
 * learned), unasked (a get that a render follows does not look at the counter).
 * Returns {states, violation: null | {what, steps}}.
 */
function check(options) {
    const model = makeModel(options);
    const index = new Map([[model.start, 0]]);
    const states = [model.start], parents = [-1], labels = [''];
    for (let at = 0; at < states.length; at++) {
        let violation = null;
        model.step(states[at], (next, label, bad) => {
            if (bad && !violation) violation = { what: bad, label };
            if (index.has(next)) return;
            index.set(next, states.length);
            states.push(next);
            parents.push(at);
            labels.push(label);
        });
        if (violation) {
            const steps = [violation.label];
            for (let i = at; i > 0; i = parents[i]) steps.unshift(labels[i]);
            return { states: states.length, violation: { what: violation.what, steps } };
        }
    }
    return { states: states.length, violation: null };
}

function makeModel({ scheme, requests, processes, losses = 0, repeats = 0, counterLosses = 0, clock = 1, make = 'lands',
    noteAtSet = false, joinMarks = false, trustAbsent = false, deaf = false, unasked = false }) {
    const script = SCHEMES[scheme];
    const makes = losses > 0 && !trustAbsent;
    const renderers = [], revalidators = [];
    const r0 = KNOWN + processes.length;
    processes.forEach((p, process) => {
        for (let i = 0; i < (p.renderers || 0); i++) renderers.push({ process, at: r0 + renderers.length * R_SIZE });
    });
    const v0 = r0 + renderers.length * R_SIZE;
    processes.forEach((p, process) => {
        for (let i = 0; i < (p.revalidators || 0); i++) revalidators.push({ process, at: v0 + revalidators.length * V_SIZE });
    });
    const w0 = v0 + revalidators.length * V_SIZE;

    const start = new Array(w0).fill(0);
    start[DB] = start[CTR] = start[F] = start[F + 1] = start[P] = start[P + 1] = 1;
    for (const r of renderers) start[r.at + LEFT] = requests;
    start[LOSSES] = losses;
    start[REPEATS] = repeats;
    start[COUNTER_LOSSES] = counterLosses;

    /* The driver's part: a mark that is not there is never made with less than the counter says at that moment,
     * whatever is written.  So it is as late as any that was lost. */
    function merge(s, epoch, wrong) {
        s[MARK] = s[MARK] || !makes || make === wrong ? Math.max(s[MARK], epoch) : Math.max(s[CTR], epoch);
    }

    /* Renderers of one process are alike, so are its revalidators, and writes have no order. */
    function sortBlocks(s, blocks, size) {
        for (let i = 1; i < blocks.length; i++) {
            for (let j = i; j > 0 && blocks[j - 1].process === blocks[j].process; j--) {
                const a = blocks[j - 1].at, b = blocks[j].at;
                let k = 0;
                while (k < size && s[a + k] === s[b + k]) k++;
                if (k === size || s[a + k] < s[b + k]) break;
                for (k = 0; k < size; k++) [s[a + k], s[b + k]] = [s[b + k], s[a + k]];
            }
        }
    }
    function encode(s) {
        sortBlocks(s, renderers, R_SIZE);
        sortBlocks(s, revalidators, V_SIZE);
        if (s.length > w0 + 3) {
            const writes = [];
            for (let i = w0; i < s.length; i += 3) writes.push(s.slice(i, i + 3));
            writes.sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
            s.length = w0;
            for (const w of writes) s.push(...w);
        }
        return String.fromCharCode.apply(null, s);
    }
    function decode(text) {
        const s = new Array(text.length);
        for (let i = 0; i < text.length; i++) s[i] = text.charCodeAt(i);
        return s;
    }

    function step(text, emit) {
        const now = decode(text);
        /* One transition: change(copy), then it is told. */
        const to = (label, change) => {
            const s = now.slice();
            const bad = change(s);
            emit(encode(s), label, bad);
        };
        renderers.forEach((r, i) => stepRenderer(now, r, `renderer ${i} of process ${r.process}`, to));
        revalidators.forEach((v, i) => stepRevalidator(now, v, `revalidator ${i} of process ${v.process}`, to));
        stepStore(now, to);
        for (let i = w0; i < now.length; i += 3) {
            if (now[i] === MAKE || now[i] === MERGE) {
                to(`the ${now[i] === MAKE ? 'making' : 'second write'} of the mark lands`, (s) => {
                    if (s[i] === MERGE) merge(s, s[i + 1], 'written');
                    else if (s[MARK] === 0) merge(s, s[i + 1], 'looked');
                    s.splice(i, 3);
                });
                continue;
            }
            const entry = now[i], name = entry === P ? 'P' : 'F';
            to(`the write of ${name} (epoch ${now[i + 1]}, version ${now[i + 2]}) lands`, (s) => {
                s[entry] = now[i + 1];
                s[entry + 1] = now[i + 2];
                s.splice(i, 3);
            });
        }
    }

    function stepStore(now, to) {
        if (now[LOSSES] && now[MARK])
            to(`the mark ${now[MARK]} is lost`, (s) => { s[LOSSES]--; s[MARK] = 0; });
        if (now[COUNTER_LOSSES])
            to(`the counter ${now[CTR]} is lost, and is ${now[CTR] + clock}`, (s) => { s[COUNTER_LOSSES]--; s[CTR] += clock; });
        if (now.length === w0 && revalidators.every((v) => now[v.at + STEP] === script.length) &&
            renderers.every((r) => now[r.at + PHASE] === GET_P && now[r.at + READ] === 0))
            processes.forEach((_, process) => to(`process ${process} gets P twice`, (s) => secondGet(s, process)));
    }

    /* Nothing else happens any more: what two gets of a process see, with a rendering between. */
    function secondGet(s, process) {
        let known = s[KNOWN + process];
        const found = s[MARK] || (makes ? s[CTR] : 0);
        if (!deaf) known = Math.max(known, found);
        if (!unasked) known = Math.max(known, s[CTR]);
        if (s[P + 1] && s[P] >= found) return null;
        const other = makes ? s[CTR] : 0; /* of a tag that the rendering brought */
        return known >= found && known >= other ? null : 'the second get of P was no hit, though all was quiet';
    }

    function stepRenderer(now, { process, at }, who, to) {
        const phase = now[at + PHASE];
        if (phase === GET_P || phase === GET_F) {
            stepGet(now, process, at, who, to);
        } else if (phase === FETCH) {
            to(`${who} fetches version ${now[DB]}`, (s) => {
                s[at + VERSION] = s[DB];
                s[at + PHASE] = SET_F;
            });
        } else if (phase === SET_F) {
            to(`${who} sends F: epoch ${now[at + NOTE_F]}, version ${now[at + VERSION]}`, (s) => {
                s.push(F, s[at + NOTE_F], s[at + VERSION]);
                s[at + NOTE_F] = 0;
                s[at + PHASE] = SET_P;
            });
        } else {
            const note = noteAtSet ? now[KNOWN + process] : now[at + NOTE];
            to(`${who} sends P: epoch ${note}, version ${now[at + VERSION]}`, (s) => {
                s.push(P, note, s[at + VERSION]);
                s[at + NOTE] = s[at + VERSION] = 0;
                s[at + PHASE] = GET_P;
            });
        }
    }

    function stepGet(now, process, at, who, to) {
        const ofPage = now[at + PHASE] === GET_P, name = ofPage ? 'P' : 'F', entry = ofPage ? P : F;
        const read = now[at + READ], known = KNOWN + process;
        if (ofPage && read === 0 && now[at + LEFT] === 0) return;
        const begin = (s, bit) => {
            /* Broken on purpose: marks from before do not begin the get. */
            const begun = joinMarks ? read & READ_ENTRY : read;
            if (!begun && !(joinMarks && bit === READ_MARK)) s[at + NEED] = s[DONE];
            if (ofPage && read === 0) s[at + LEFT]--;
            s[at + READ] |= bit;
        };
        if (!(read & READ_ENTRY)) {
            if (now[entry + 1]) {
                to(`${who} reads ${name}: epoch ${now[entry]}, version ${now[entry + 1]}`, (s) => {
                    begin(s, READ_ENTRY);
                    s[at + GOT] = s[entry];
                    s[at + GOT_VERSION] = s[entry + 1];
                });
            }
            to(`${who} finds no ${name}`, (s) => begin(s, READ_ENTRY));
        }
        if (!(read & READ_MARK) && makes && now[MARK] === 0) {
            if (!now.slice(w0).some((x, i) => i % 3 === 0 && x === MAKE))
                to(`${who} finds no mark for ${name}`, (s) => { s.push(MAKE, make === 'looked' ? s[CTR] : 0, 0); });
        } else if (!(read & READ_MARK)) {
            to(`${who} reads the mark for ${name}: ${now[MARK]}`, (s) => {
                begin(s, READ_MARK);
                s[at + GOT_MARK] = s[MARK];
                if (!deaf) s[known] = Math.max(s[known], s[MARK]);
            });
        }
        if (read && now[CTR] > now[known])
            to(`${who} looks at the counter: ${now[CTR]}`, (s) => { s[known] = s[CTR]; });
        if (read === (READ_ENTRY | READ_MARK)) {
            const version = now[at + GOT_VERSION];
            const fresh = version > 0 && now[at + GOT] >= now[at + GOT_MARK];
            to(`${who} answers ${fresh ? `${name}, version ${version}` : `that ${name} must be made, noting ${now[known]}`}`, (s) => {
                const need = s[at + NEED];
                s[at + READ] = s[at + GOT] = s[at + GOT_VERSION] = s[at + GOT_MARK] = s[at + NEED] = 0;
                if (fresh) {
                    s[at + VERSION] = ofPage ? 0 : version;
                    s[at + PHASE] = ofPage ? GET_P : SET_P;
                    if (version < need) return `${name} of version ${version} was answered, ${need} was revalidated before the get`;
                } else if (ofPage) {
                    s[at + NOTE] = noteAtSet ? 0 : s[known];
                    s[at + PHASE] = GET_F;
                } else {
                    s[at + NOTE_F] = s[known];
                    s[at + PHASE] = FETCH;
                }
                return null;
            });
        }
    }

    function stepRevalidator(now, { process, at }, who, to) {
        const done = now[at + STEP];
        if (done === script.length) return;
        const forward = (change) => (s) => {
            s[at + STEP]++;
            change(s);
        };
        switch (script[done]) {
        case 'change':
            to(`${who} changes the data to version ${now[DB] + 1}`, forward((s) => { s[at + MADE] = ++s[DB]; }));
            break;
        case 'advance':
            to(`${who} advances the counter to ${now[CTR] + 1}`, forward((s) => { s[at + EPOCH] = ++s[CTR]; }));
            break;
        case 'write':
            to(`${who} writes the mark ${now[at + EPOCH]}`, forward((s) => { merge(s, s[at + EPOCH], 'written'); }));
            if (now[REPEATS]) {
                to(`${who} writes the mark ${now[at + EPOCH]}, and sends it again`, forward((s) => {
                    s[REPEATS]--;
                    merge(s, s[at + EPOCH], 'written');
                    s.push(MERGE, s[at + EPOCH], 0);
                }));
            }
            break;
        case 'bump':
            to(`${who} bumps counter and mark to ${now[CTR] + 1}`, forward((s) => { s[MARK] = s[at + EPOCH] = ++s[CTR]; }));
            break;
        default:
            to(`${who} completes version ${now[at + MADE]}`, forward((s) => {
                s[DONE] = Math.max(s[DONE], s[at + MADE]);
                s[KNOWN + process] = Math.max(s[KNOWN + process], s[at + EPOCH]);
                s[at + MADE] = s[at + EPOCH] = 0;
            }));
        }
    }

    return { start: encode(start), step };
}

module.exports = { check, SCHEMES };

/* epochs.js SCHEME REQUESTS RENDERERS/REVALIDATORS...   one pair per process */
if (require.main === module) {
    const [scheme, requests, ...pairs] = process.argv.slice(2);
    if (!SCHEMES[scheme] || !(Number(requests) > 0) || !pairs.length) {
        console.error(`usage: epochs.js '${Object.keys(SCHEMES).join("' | '")}' REQUESTS RENDERERS/REVALIDATORS...`);
        process.exit(2);
    }
    const processes = pairs.map((p) => {
        const [renderers, revalidators] = p.split('/').map(Number);
        return { renderers, revalidators };
    });
    const result = check({ scheme, requests: Number(requests), processes });
    if (result.violation) {
        console.log(`${result.violation.what}:`);
        for (const line of result.violation.steps) console.log(`  ${line}`);
    } else {
        console.log(`holds in all of ${result.states} states`);
    }
    process.exit(result.violation ? 1 : 0);
}
