'use strict';
/*
 * What happens to the store, and when: one cycle of faults, which the setting `fault` repeats.  Each
 * cycle ends with a quiet time in which everything must recover.
 */

/** Every way in which a store can fail that the layer `fault` knows; the colour is the plot's. */
const FAULTS = [
  { name: 'down', text: 'refuses connections', rule: 'any:error=retry' },
  { name: 'hang', text: 'is stopped: never answers', rule: 'any:drop' },
  { name: 'late', text: 'answers 10 s late', rule: 'any:late=10s' },
  { name: 'corrupt', text: 'one bit of each value is wrong', rule: 'get:corrupt' },
  { name: 'short', text: 'the end of each value is missing', rule: 'get:short' },
  { name: 'denied', text: 'refuses the credentials', rule: 'any:error=denied' },
  { name: 'flaky', text: 'half of the calls fail in passing', rule: 'any:error=retry@50%' },
  { name: 'throttled', text: 'asks for less, half of the time', rule: 'any:error=throttled@50%' },
  { name: 'lost', text: 'does what it is told, and half of the answers are lost', rule: 'any:lost=retry@50%' },
  { name: 'tags', text: 'tags alone refuse connections', rule: 'tags-read,tags-write,advance,bump:error=retry' },
];

/** Of the quiet time. */
const TAIL_S = 25;

/** Seconds before the first fault, of each, and between two. @param {{ lead: number, on: number, gap: number }} times */
function cycle({ lead, on, gap }) {
  const phases = FAULTS.map((fault, i) => ({ ...fault, from: lead + i * (on + gap), seconds: on }));
  const quietFrom = lead + FAULTS.length * (on + gap) - gap;
  const seconds = quietFrom + TAIL_S;
  const ms = (s) => `${Math.round(s * 1000)}ms`;
  const setting = phases.map((p) => `${p.rule}~${ms(on)}/${ms(seconds)}+${ms(p.from)}`).join('; ');
  return { phases, quietFrom, seconds, setting: `seed=7; ${setting}` };
}

/** The phase at a time of the drill, in seconds since the store was opened; undefined: no fault. */
function phaseAt(plan, t) {
  const inCycle = t % plan.seconds;
  return plan.phases.find((p) => inCycle >= p.from && inCycle < p.from + p.seconds);
}

module.exports = { cycle, phaseAt };
