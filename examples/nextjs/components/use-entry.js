'use client';
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { ask, askPeers, press } from '../lib/probe.js';

const TICK_MS = 100;
const LINES = 14;

const subscribe = (changed) => {
  const timer = setInterval(changed, TICK_MS);
  return () => clearInterval(timer);
};
const round = () => Math.floor(Date.now() / TICK_MS) * TICK_MS;

/** The time now, ticking; null on the server and in the first paint, so that both agree. */
export const useNow = () => useSyncExternalStore(subscribe, round, () => null);

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * One entry as this page knows it: what came with the HTML, then whatever each question brought.
 * Every question and every press of a button is a line of the log, newest first.
 */
export function useEntry(kind, first = null, { peers = false } = {}) {
  const [entry, setEntry] = useState(first ? { stamp: first } : null);
  const [log, setLog] = useState([]);
  const [others, setOthers] = useState(null);
  const [busy, setBusy] = useState(false);
  const lines = useRef(0);

  const note = useCallback((line) => {
    lines.current += 1;
    setLog((old) => [{ ...line, number: lines.current }, ...old].slice(0, LINES));
  }, []);

  const question = useCallback(async () => {
    const answer = await ask(kind, kind.ask);
    setEntry(answer);
    note({ ...answer, what: 'ask' });
    if (peers) setOthers(await askPeers(kind.ask));
  }, [kind, note, peers]);

  const during = useCallback(async (work) => {
    setBusy(true);
    try {
      await work();
    } catch (error) {
      note({ what: 'error', when: Date.now(), text: error.message });
    } finally {
      setBusy(false);
    }
  }, [note]);

  const look = useCallback(() => during(question), [during, question]);

  /**
   * After a press it asks twice: a stale entry is served once more while the new one is made.  And
   * not at once: Next.js answers a route handler's client before the revalidation is done.
   */
  const act = useCallback((action) => during(async () => {
    await press(action);
    note({ what: 'press', when: Date.now(), text: action.label });
    await pause(150);
    await question();
    await pause(350);
    await question();
  }), [during, note, question]);

  return { entry, log, others, busy, look, act };
}

/** What the jar and the words say about a stamp at a time. */
export function keeping(kind, stamp, now) {
  if (!stamp || now === null) return { level: stamp ? 1 : null, past: false, age: null, left: null };
  const age = Math.max(0, now - stamp.at);
  if (kind.revalidate === false) return { level: 1, past: false, age, left: null };
  const left = kind.revalidate * 1000 - age;
  return { level: Math.max(0, left / (kind.revalidate * 1000)), past: left <= 0, age, left };
}

export function useFirstLook(look) {
  const asked = useRef(false);
  useEffect(() => {
    if (asked.current) return;
    asked.current = true;
    look();
  }, [look]);
}
