'use strict';
// docs/images/soak.svg from bench/results/soak.json.

const { write, chart, legend } = require('../lib/svg.js');
const result = require('../lib/figures.js').result('soak.json');

const { series, rests, seconds } = result;
const minutes = (s) => s / 60;
const over = (look, values, times = series.t) => ({ look, values: values.map((y, i) => ({ x: minutes(times[i]), y })) });
const restTimes = rests.map((r) => r.t);
const atRest = (what) => rests.map((r) => r[what]);

const parts = [];
let top = 8;
const add = ({ svg, bottom }) => {
  parts.push(svg);
  top = bottom + 8;
};
add(chart({
  top, height: 170, to: minutes(seconds), unit: 'min', title: 'Memory of the process, MB', note: 'the least of each stretch of time',
  lines: [over('weak', series.external), over('middle', series.private), over('strong', series.rss)],
}));
add(legend(top - 4, [{ look: 'strong', name: 'resident' }, { look: 'middle', name: 'private' }, { look: 'weak', name: 'what V8 holds outside its heap' }]));
add(chart({
  top, height: 110, to: minutes(seconds), unit: 'min', title: 'At rest', note: 'once a minute',
  lines: [over('weak', atRest('timers'), restTimes), over('middle', atRest('threads'), restTimes), over('strong', atRest('descriptors'), restTimes)],
}));
add(legend(top - 4, [{ look: 'strong', name: 'descriptors' }, { look: 'middle', name: 'threads' }, { look: 'weak', name: 'timers' }]));
write('soak.svg', 'The soak: memory, descriptors, threads and timers of a process under full load', top, parts);
