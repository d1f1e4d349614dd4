'use client';
import { useEffect, useRef } from 'react';
import Jar from './jar.js';
import Verdict from './verdict.js';
import { keeping, useEntry, useNow } from './use-entry.js';
import { KINDS } from '../lib/kinds.js';
import { span } from '../lib/words.js';

/** The jars of the start page.  They ask one after the other, so that nine answers are nine visits. */
export default function Shelf() {
  const looks = useRef(new Map());
  const all = async () => {
    for (const look of looks.current.values()) await look();
  };
  const began = useRef(false);
  useEffect(() => {
    if (began.current) return;
    began.current = true;
    all();
  }, []);
  return (
    <section aria-labelledby="shelf-title">
      <div className="row">
        <h2 id="shelf-title">On the shelf</h2>
        <button type="button" className="plain" onClick={all}>
          Look at all again
        </button>
      </div>
      <div className="shelf">
        {KINDS.map((kind) => (
          <Card key={kind.id} kind={kind} looks={looks} />
        ))}
      </div>
    </section>
  );
}

function Card({ kind, looks }) {
  const { entry, busy, look, log } = useEntry(kind);
  const now = useNow();
  useEffect(() => {
    const map = looks.current;
    map.set(kind.id, look);
    return () => map.delete(kind.id);
  }, [kind.id, look, looks]);
  const { level, past, age } = keeping(kind, entry?.stamp, now);
  const failed = log[0]?.what === 'error' ? log[0].text : null;
  return (
    <a className={`card hue-${kind.id} ${busy ? 'is-busy' : ''}`} href={kind.path}>
      <Jar level={level} past={past} />
      <div className="card-text">
        <div className="row">
          <h3>{kind.title}</h3>
          <Verdict of={entry} />
        </div>
        <p className="age">
          {age === null ? <span className="quiet">{failed ?? 'asking …'}</span> : <><b>{span(age)}</b> old</>}
          {entry?.stamp && <span className="lot">lot {entry.stamp.lot}</span>}
        </p>
        <p className="what">{kind.what}</p>
      </div>
    </a>
  );
}
