'use client';
import { useMemo } from 'react';
import Jar from './jar.js';
import Picture from './picture.js';
import Verdict from './verdict.js';
import { keeping, useEntry, useFirstLook, useNow } from './use-entry.js';
import { KINDS, actions, kind as kindOf } from '../lib/kinds.js';
import { lotOf, verdict, written } from '../lib/read.js';
import { clock, span } from '../lib/words.js';

/**
 * The page of one kind: the jar, the buttons and what came of them.  `stamp` is what the cached
 * thing carries; `page`, where only data is cached, is the stamp of the page around it.
 */
export default function Bench({ id, slug, stamp, page }) {
  const kind = useMemo(() => {
    const one = kindOf(id);
    return slug ? { ...one, path: `/posts/${slug}`, ask: `/posts/${slug}` } : one;
  }, [id, slug]);
  const { entry, log, others, busy, look, act } = useEntry(kind, stamp, { peers: true });
  useFirstLook(look);
  const seen = entry?.stamp;
  return (
    <article className={`bench hue-${id}`} data-stamp={stamp && written(stamp)} data-page={page && written(page)}>
      <nav className="kinds" aria-label="Kinds of cache entries">
        {KINDS.map((one) => (
          <a key={one.id} href={one.path} className={`hue-${one.id}`} aria-current={one.id === id ? 'page' : undefined}>
            {one.short}
          </a>
        ))}
      </nav>
      <header className="intro">
        <p className="eyebrow">{kind.entry}</p>
        <h1>{kind.title}</h1>
        <p className="lede">
          {kind.what} {kind.how}
        </p>
        {kind.pattern && <Slugs current={kind.path} />}
      </header>
      <div className="columns">
        <div>
          <Specimen kind={kind} stamp={seen} page={kind.inner ? seen?.page ?? page : null} answer={entry} busy={busy} />
          {kind.entry === 'IMAGE' && <Picture url={entry?.url} />}
          <Log log={log} others={others} kind={kind} mine={seen?.lot} />
        </div>
        <div>
          <Buttons kind={kind} busy={busy} look={look} act={act} />
          <section className="panel in-code" aria-label="In code">
            <h2>In code</h2>
            <pre>
              <code>{kind.code}</code>
            </pre>
          </section>
        </div>
      </div>
    </article>
  );
}

function Slugs({ current }) {
  return (
    <p className="slugs">
      {['plum', 'quince', 'fig', 'medlar'].map((slug) => (
        <a key={slug} href={`/posts/${slug}`} aria-current={current === `/posts/${slug}` ? 'page' : undefined}>
          /posts/{slug}
        </a>
      ))}
    </p>
  );
}

function Specimen({ kind, stamp, page, answer, busy }) {
  const now = useNow();
  const { level, past, age, left } = keeping(kind, stamp, now);
  return (
    <section className={`panel specimen ${busy ? 'is-busy' : ''}`} aria-label="The entry">
      <Jar level={level} past={past} />
      <div>
        <div className="row">
          <p className="lot">{stamp ? `lot ${stamp.lot}` : 'no lot yet'}</p>
          <Verdict of={answer} />
        </div>
        <p className="big">{age === null ? '…' : <>{span(age)} <span>old</span></>}</p>
        <p className="keep">
          {kind.revalidate === false && 'Keeps until someone revalidates it.'}
          {kind.revalidate !== false && left !== null && (past
            ? `Past its ${kind.revalidate} s: the next visitor gets it once more, and a new one is made.`
            : `Fresh for another ${Math.ceil(left / 1000)} s.`)}
        </p>
        <dl>
          <dt>{kind.inner ? 'Data made' : 'Made'}</dt>
          <dd>
            {stamp && now !== null ? clock(stamp.at) : '…'}
            {stamp?.by && <span className="quiet"> by {by(stamp)}</span>}
          </dd>
          {page && (
            <>
              <dt>Page made</dt>
              <dd>
                {now !== null ? clock(page.at) : '…'}
                <span className="quiet"> by {by(page)}, for this request</span>
              </dd>
            </>
          )}
        </dl>
      </div>
    </section>
  );
}

const by = ({ by: name, pid }) => (name.length === 1 ? `server ${name}, process ${pid}` : `${name}, process ${pid}`);

function Buttons({ kind, busy, look, act }) {
  const list = actions(kind);
  return (
    <section className="panel buttons" aria-label="Actions">
      <h2>Try it</h2>
      {list.map((action) => (
        <button key={action.label} type="button" disabled={busy} onClick={() => act(action)}>
          <code>{action.label}</code>
          <span>{action.hint}</span>
        </button>
      ))}
      <button type="button" className="ask" disabled={busy} onClick={look}>
        <b>Ask again</b>
        <span>One more visitor, nothing revalidated.</span>
      </button>
    </section>
  );
}

function Log({ log, others, kind, mine }) {
  const name = others?.here.name;
  return (
    <section className="panel happened" aria-label="What happened">
      <h2>What happened</h2>
      {others?.peers.map((peer) => (
        <p className="peer" key={peer.name}>
          <a href={peer.base + kind.path}>Server {peer.name}</a>, another process on the same store, answers{' '}
          {peer.error ? <span className="quiet">nothing: {peer.error}</span> : <PeerAnswer peer={peer} mine={mine} />}
        </p>
      ))}
      <ol className="log" aria-live="polite">
        {log.map((line) => (
          <li key={line.number} className={`line-${line.what}`}>
            <time>{clock(line.when)}</time>
            {line.what === 'ask' ? (
              <>
                <Verdict of={line} />
                <span className="lot">{line.stamp?.lot}</span>
                <span className="quiet">
                  {name ? `from ${name.length === 1 ? `server ${name}` : 'this server'} in ` : ''}
                  {line.ms < 10 ? line.ms.toFixed(1) : Math.round(line.ms)} ms
                </span>
              </>
            ) : (
              <code>{line.text}</code>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}

/** The same lot is the same entry; another means that this process does not see what happened here. */
function PeerAnswer({ peer, mine }) {
  const lot = peer.stamp?.lot ?? lotOf(peer.etag);
  return (
    <>
      <Verdict of={{ ...peer, verdict: verdict(peer) }} /> <span className="lot">{lot}</span>
      {mine && <>, {lot === mine ? 'the same one.' : <b className="differs">a different one.</b>}</>}
    </>
  );
}
