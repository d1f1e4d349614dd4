'use strict';
// docs/images/soak.svg from bench/results/soak.json.

const { Page } = require('../lib/svg.js');
const result = require('../lib/figures.js').result('soak.json');

const { series, rests, seconds } = result;
const minutes = (s) => s / 60;
const over = (look, values, times = series.t) => ({ look, values: values.map((y, i) => ({ x: minutes(times[i]), y })) });
const restTimes = rests.map((r) => r.t);
const atRest = (what) => rests.map((r) => r[what]);

const page = new Page();
page.chart({
  height: 170, to: minutes(seconds), unit: 'min', title: 'Memory of the process, MB', note: 'the least of each stretch of time',
  lines: [over('weak', series.external), over('middle', series.private), over('strong', series.rss)],
});
page.legend([{ look: 'strong', name: 'resident' }, { look: 'middle', name: 'private' }, { look: 'weak', name: 'what V8 holds outside its heap' }]);
page.chart({
  height: 110, to: minutes(seconds), unit: 'min', title: 'At rest', note: 'once a minute',
  lines: [over('weak', atRest('timers'), restTimes), over('middle', atRest('threads'), restTimes), over('strong', atRest('descriptors'), restTimes)],
});
page.legend([{ look: 'strong', name: 'descriptors' }, { look: 'middle', name: 'threads' }, { look: 'weak', name: 'timers' }]);
page.write('soak.svg', 'The soak: memory, descriptors, threads and timers of a process under full load');
