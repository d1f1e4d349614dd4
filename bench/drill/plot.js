'use strict';
// docs/images/drill.svg from bench/results/drill.json.

const { Page } = require('../lib/svg.js');
const result = require('../lib/figures.js').result('drill.json');

const { phases, cycle, series, seconds } = result;
const COLOURS = ['#cf222e', '#8250df', '#bf3989', '#1a7f37', '#4ac26b', '#9a6700', '#fb8f44', '#0969da', '#6e7781', '#e16f24'];

/** The faults of the rounds that lie in [from, to]. */
function bands(from, to, named) {
  const out = [];
  for (let round = 0; round * cycle < to; round++)
    phases.forEach((phase, i) => {
      const begin = round * cycle + phase.from;
      if (begin >= from && begin + phase.seconds <= to)
        out.push({ from: begin, to: begin + phase.seconds, colour: COLOURS[i], name: named ? phase.name : '' });
    });
  return out;
}

const line = (look, values, from, to) => ({
  look,
  values: values.map((y, i) => ({ x: i + 0.5, y })).filter((v) => v.x >= from && v.x < to),
});

// The second round: in the first one everything is rendered for the first time.
const begin = seconds > 2 * cycle ? cycle : 0;
const end = Math.min(seconds, begin + cycle);
const page = new Page();
page.chart({
  height: 170, from: begin, to: end, log: true, bands: bands(begin, end, true),
  title: 'One round of faults: time of requests, ms', note: 'second by second; logarithmic',
  lines: [line('weak', series.max, begin, end), line('middle', series.p99, begin, end), line('strong', series.p50, begin, end)],
});
page.legend([{ look: 'strong', name: 'half of the requests' }, { look: 'middle', name: '99 of 100' }, { look: 'weak', name: 'the slowest' }]);
page.chart({
  height: 90, from: begin, to: end, bands: bands(begin, end, false),
  title: 'Requests per second', note: 'of these from a cache',
  lines: [line('weak', series.requests, begin, end), line('strong', series.hits, begin, end)],
});
page.legend([{ look: 'weak', name: 'all' }, { look: 'strong', name: 'HIT' }]);
page.chart({
  height: 120, to: seconds, log: true, bands: bands(0, seconds, false),
  title: 'The whole drill: time of requests, ms', note: `${Math.round(seconds / cycle)} rounds`,
  lines: [line('weak', series.max, 0, seconds), line('strong', series.p50, 0, seconds)],
});
page.write('drill.svg', 'The outage drill: time and rate of requests while the store fails in ten ways');
