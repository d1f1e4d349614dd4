/** 12.4 s, 3 min 07 s, 2 h 05 min, 4 d 3 h. */
export function span(ms) {
  const s = ms / 1000;
  if (s < 60) return `${s.toFixed(1)} s`;
  const two = (n) => String(n).padStart(2, '0');
  const min = Math.floor(s / 60);
  if (min < 60) return `${min} min ${two(Math.floor(s % 60))} s`;
  const h = Math.floor(min / 60);
  if (h < 48) return `${h} h ${two(min % 60)} min`;
  return `${Math.floor(h / 24)} d ${h % 24} h`;
}

/** 14:03:22.5 in the reader's zone: for the browser only, a server's zone may differ. */
export function clock(at) {
  const date = new Date(at);
  return `${date.toTimeString().slice(0, 8)}.${Math.floor(date.getMilliseconds() / 100)}`;
}
