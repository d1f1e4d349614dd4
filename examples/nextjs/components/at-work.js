'use client';
import { useEffect, useRef, useState } from 'react';
import { ask, askPeers } from '../lib/probe.js';
import { KINDS } from '../lib/kinds.js';
import { between, ratio, size, took } from '../lib/stats.js';
import { span } from '../lib/words.js';

const EVERY_MS = 1000;
const SHOWN = 60;
const VISIT_MS = 120;

/** The readings of each server by name, the oldest first: asked for each second while somebody looks. */
function useReadings() {
  const [readings, setReadings] = useState(new Map());
  useEffect(() => {
    let timer;
    let over = false;
    const look = async () => {
      if (!document.hidden) {
        try {
          const response = await fetch('/api/stats', { cache: 'no-store' });
          const servers = await response.json();
          setReadings((old) => new Map(servers.map((one) => [one.name, [...(old.get(one.name) ?? []), one].slice(-SHOWN - 1)])));
        } catch {
          // The server is being restarted: what was there stays until it answers again.
        }
      }
      if (!over) timer = setTimeout(look, EVERY_MS);
    };
    look();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, []);
  return readings;
}

/** Visitors for as long as wanted: one after the other asks all servers for something on the shelf. */
function useVisitors() {
  const [sending, setSending] = useState(false);
  const on = useRef(false);
  useEffect(() => () => void (on.current = false), []);
  const toggle = async () => {
    on.current = !on.current;
    setSending(on.current);
    while (on.current) {
      const one = KINDS[Math.floor(Math.random() * KINDS.length)];
      const both = one.entry === 'IMAGE' ? [askPeers(one.ask)] : [ask(one, one.ask), askPeers(one.ask)];
      await Promise.allSettled([...both, new Promise((resolve) => setTimeout(resolve, VISIT_MS))]);
    }
  };
  return [sending, toggle];
}

/** What each process has counted, live, and a way to give it something to count. */
export default function AtWork() {
  const readings = useReadings();
  const [sending, toggle] = useVisitors();
  return (
    <section className="at-work" aria-labelledby="at-work-heading">
      <div className="row">
        <h2 id="at-work-heading">At work</h2>
        <button type="button" className={`plain ${sending ? 'is-on' : ''}`} aria-pressed={sending} onClick={toggle}>
          {sending ? 'Stop the visitors' : 'Send visitors'}
        </button>
      </div>
      <div className="servers">
        {readings.size === 0 && <p className="panel quiet">asking …</p>}
        {[...readings].map(([name, list]) => (
          <Server key={name} name={name} readings={list} />
        ))}
      </div>
      <p className="quiet legend">
        A bar is a second: what the handlers of the process asked of Larder, and what they got.{' '}
        <span><i className="of-hits" />hits</span> <span><i className="of-stale" />stale</span> <span><i className="of-misses" />misses</span>{' '}
        The same in a terminal: <code>larder top</code>.
      </p>
    </section>
  );
}

const named = (name) => (name.length === 1 ? `Server ${name}` : 'This server');

function Server({ name, readings }) {
  const now = readings.at(-1);
  const steps = readings.slice(1).map((one, i) => between(readings[i], one));
  const { stats } = now;
  return (
    <article className="panel server" data-server={name}>
      <header className="row">
        <h3>{named(name)}</h3>
        <span className="quiet">{now.gone ? 'does not answer' : stats ? `process ${now.pid}, ${span(Math.floor(stats.upMs / 1000) * 1000).replace('.0', '')}` : `process ${now.pid}`}</span>
      </header>
      {stats ? <Figures stats={stats} steps={steps} /> : <p className="quiet nothing">{now.gone ? 'It may be starting.' : 'It has had no visitor yet.'}</p>}
    </article>
  );
}

function Figures({ stats, steps }) {
  const { requests } = stats;
  const last = steps.at(-1);
  return (
    <>
      <div className="row head-line">
        <p className="big">
          {ratio(stats.hits, stats.gets)} <span>hits</span>
        </p>
        <p className="quiet rate">
          <b>{last?.gets ?? 0}</b> in the last second{last?.mean ? <>, each {took(last.mean)}</> : null}
        </p>
      </div>
      <Bars steps={steps} />
      <table>
        <thead>
          <tr>
            <th scope="col">Gets</th>
            <th scope="col">all</th>
            <th scope="col">half within</th>
            <th scope="col">99 % within</th>
          </tr>
        </thead>
        <tbody>
          <Latency what="from memory" of={requests['get-memory']} />
          <Latency what="from the store" of={requests['get-store']} />
          <Latency what="in vain" of={requests['get-nothing']} />
        </tbody>
        <tbody>
          <Latency what="Puts" of={requests.put} />
          <Latency what="Revalidations" of={requests.revalidate} />
        </tbody>
      </table>
      <p className="quiet beneath">
        {stats.memoryEntries} entries in memory, {size(stats.memoryBytes)}.{' '}
        {stats.instances.map((one) => (
          <Driver key={one.role} of={one} />
        ))}
      </p>
    </>
  );
}

function Latency({ what, of: { count, p50Ms, p99Ms } }) {
  return (
    <tr className={count === 0 ? 'quiet' : undefined}>
      <th scope="row">{what}</th>
      <td>{count}</td>
      <td>{took(p50Ms)}</td>
      <td>{took(p99Ms)}</td>
    </tr>
  );
}

/** What there is to say of a driver: how it does, unless it is in trouble. */
function Driver({ of: { driver, breaker, breakerReason, ops } }) {
  if (breaker === 'open' || breaker === 'half-open')
    return <b className="differs">{driver} is left alone: {breakerReason}. </b>;
  const reads = ops['tags-read'];
  return reads ? <>{driver} reads marks in {took(reads.p50Ms)}.</> : <>{driver} is well.</>;
}

const WIDE = 4;
const HIGH = 60;

/** A bar for each second, the newest on the right: what its gets got. */
function Bars({ steps }) {
  const most = Math.max(8, ...steps.map((step) => step?.gets ?? 0));
  const left = SHOWN - steps.length;
  return (
    <svg className="bars" viewBox={`0 0 ${SHOWN * WIDE} ${HIGH}`} preserveAspectRatio="none" role="img"
      aria-label={`Gets of the last ${SHOWN} seconds, at most ${most} in one`}>
      {steps.map((step, i) => {
        if (!step?.gets) return null;
        let top = HIGH;
        return ['hits', 'stale', 'misses'].map((what) => {
          const high = (step[what] / most) * (HIGH - 2);
          top -= high;
          return high > 0 && <rect key={`${i} ${what}`} className={`of-${what}`} x={(left + i) * WIDE} y={top} width={WIDE - 1} height={high} />;
        });
      })}
      <line className="ground" x1="0" x2={SHOWN * WIDE} y1={HIGH} y2={HIGH} />
    </svg>
  );
}
